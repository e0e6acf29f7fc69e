/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_WIRE_SAMPLES_H
#define AVOW_TESTS_WIRE_SAMPLES_H

/*
 * Messages as they are on the wire. KL_ are in the form that Keylime 7.14.3's servers and the Rust agent send
 * (times with microseconds and "+00:00", members that avow does not write); AV_ are avow's own. The bytes in
 * them are short stand-ins: what they mean is judged elsewhere.
 */

#define UUID_A "0d6e9a3a-9a0f-4a77-8bd4-6f3e1f2c4d5e"
#define UUID_V "4b1f1c9e-52a7-4c0e-9e57-0a8b6a7c1d2f"

#define KL_SESSION_REQUEST                                                                                   \
        "{\"data\":{\"type\":\"session\",\"attributes\":{\"agent_id\":\"d432fbb3-d2f1-4a97-9ef7-"            \
        "75bd81c00000\",\"authentication_supported\":[{\"authentication_class\":\"pop\","                    \
        "\"authentication_type\":\"tpm_pop\"}]}}}"

#define KL_SESSION_CHALLENGE                                                                                 \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"authentication_requested\":[{\"authentication_class\":\"pop\",\"authentication_type\":"           \
        "\"tpm_pop\",\"chosen_parameters\":{\"challenge\":\"AAECAwQFBgcICQoLDA0ODw==\"}}],"                  \
        "\"created_at\":\"2026-11-21T17:41:11.123456+00:00\","                                               \
        "\"challenges_expire_at\":\"2026-11-21T17:42:11.123456+00:00\"}}}"

#define AV_SESSION_CHALLENGE                                                                                 \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"authentication_requested\":[{\"authentication_class\":\"pop\",\"authentication_type\":"           \
        "\"tpm_pop\",\"chosen_parameters\":{\"challenge\":\"AAECAwQFBgcICQoLDA0ODw==\"}}],"                  \
        "\"created_at\":\"2026-11-21T17:41:11.123Z\",\"challenges_expire_at\":\"2026-11-21T17:42:11.123Z\"}" \
        "},\"meta\":{\"avow\":{\"verifier_id\":\"" UUID_V "\"}},\"jsonapi\":{\"version\":\"1.1\"}}"

#define KL_SESSION_PROOF                                                                                     \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"authentication_provided\":[{\"authentication_class\":\"pop\",\"authentication_type\":"            \
        "\"tpm_pop\",\"data\":{\"message\":\"/1RDRw==\",\"signature\":\"ABQACw==\"}}]}}}"

#define KL_SESSION_RESULT                                                                                    \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"evaluation\":\"pass\",\"token\":\"" UUID_A ".Zm9vYmFy_-\",\"authentication\":[{"                  \
        "\"authentication_class\":\"pop\",\"authentication_type\":\"tpm_pop\",\"chosen_parameters\":{"       \
        "\"challenge\":\"AAECAwQFBgcICQoLDA0ODw==\"},\"data\":{\"message\":\"/1RDRw==\",\"signature\":"      \
        "\"ABQACw==\"}}],\"created_at\":\"2026-11-21T17:41:11+00:00\",\"challenges_expire_at\":"             \
        "\"2026-11-21T17:42:11+00:00\",\"response_received_at\":\"2026-11-21T17:41:12+00:00\","              \
        "\"token_expires_at\":\"2026-11-21T17:44:12+00:00\"}}}"

#define KL_SESSION_FAIL                                                                                      \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"evaluation\":\"fail\",\"created_at\":\"2026-11-21T17:41:11+00:00\",\"challenges_expire_at\":"     \
        "\"2026-11-21T17:42:11+00:00\",\"response_received_at\":\"2026-11-21T17:41:12+00:00\","              \
        "\"token_expires_at\":null}}}"

/* As the Rust agent writes it: its logs included. */
#define KL_CAPABILITIES                                                                                      \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_supported\":[{\"evidence_class\":"   \
        "\"certification\",\"evidence_type\":\"tpm_quote\",\"capabilities\":{\"component_version\":\"2.0\"," \
        "\"hash_algorithms\":[\"sha3_512\",\"sha256\",\"sha1\"],\"signature_schemes\":[\"rsassa\","          \
        "\"ecdaa\"],\"available_subjects\":{\"sha1\":[0,1,2,23],\"sha256\":[0,10,15],\"sm3_256\":[1]},"      \
        "\"certification_keys\":[{\"key_algorithm\":\"rsa\",\"key_class\":\"asymmetric\",\"key_size\":2048," \
        "\"server_identifier\":\"ak\",\"local_identifier\":\"000b0102\",\"public\":\"AAEACw==\"}]}},"        \
        "{\"evidence_class\":\"log\",\"evidence_type\":\"uefi_log\",\"capabilities\":{"                      \
        "\"evidence_version\":\"2.1\",\"entry_count\":20,\"supports_partial_access\":false,"                 \
        "\"appendable\":false,\"formats\":[\"application/octet-stream\"]}},{\"evidence_class\":\"log\","     \
        "\"evidence_type\":\"ima_log\",\"capabilities\":{\"entry_count\":95,\"supports_partial_access\":"    \
        "true,\"appendable\":true,\"formats\":[\"text/plain\"]}},{\"evidence_class\":\"log\","               \
        "\"evidence_type\":\"tee_nitro\",\"capabilities\":{}}],\"system_info\":{\"boot_time\":"              \
        "\"2025-05-29T11:39:02Z\"}}}}"

#define KL_REQUEST                                                                                           \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"stage\":\"awaiting_evidence\","               \
        "\"evidence_requested\":[{\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\","     \
        "\"chosen_parameters\":{\"signature_scheme\":\"rsassa\",\"challenge\":\"AAECAwQFBgcICQoLDA0ODw==\"," \
        "\"hash_algorithm\":\"sha256\",\"selected_subjects\":{\"sha256\":[10,15],\"sha1\":null},"            \
        "\"certification_key\":{\"key_class\":\"asymmetric\",\"key_size\":2048,\"key_algorithm\":\"rsa\","   \
        "\"server_identifier\":\"ak\",\"local_identifier\":\"000b0102\",\"public\":\"AAEACw==\"}}},{"        \
        "\"evidence_class\":\"log\",\"evidence_type\":\"ima_log\",\"chosen_parameters\":{"                   \
        "\"starting_offset\":100,\"format\":\"text/plain\"}}],\"system_info\":{\"boot_time\":"               \
        "\"2025-05-29T11:39:02+00:00\"},\"capabilities_received_at\":\"2026-11-21T17:41:11.123456+00:00\","  \
        "\"challenges_expire_at\":\"2026-11-21T18:11:11.123456+00:00\"},\"links\":{\"self\":"                \
        "\"/v3.0/agents/web-1/attestations/0\"}},\"links\":{\"self\":\"/v3.0/agents/web-1/attestations\"},"  \
        "\"jsonapi\":{\"version\":\"1.1\"}}"

#define KL_EVIDENCE                                                                                          \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_class\":"   \
        "\"certification\",\"evidence_type\":\"tpm_quote\",\"data\":{\"subject_data\":\"AQAAAA==\","         \
        "\"message\":\"/1RDRw==\",\"signature\":\"ABQACw==\"}},{\"evidence_class\":\"log\","                 \
        "\"evidence_type\":\"uefi_log\",\"data\":{\"entries\":\"AAAA\"}},{\"evidence_class\":\"log\","       \
        "\"evidence_type\":\"ima_log\",\"data\":{\"entry_count\":1,\"entries\":\"10 00 ima-ng "              \
        "sha256:00 boot_aggregate\\n\"}}]}}}"

#define AV_EVIDENCE                                                                                          \
        "{\"data\":{\"attributes\":{\"evidence_collected\":[{\"data\":{\"avow\":{\"time_message\":"          \
        "\"/1RDRw==\",\"time_signature\":\"ABgACw==\"},\"message\":\"/1RDRw==\",\"signature\":"              \
        "\"ABgACw==\",\"subject_data\":\"AQAAAA==\"},\"evidence_class\":\"certification\","                  \
        "\"evidence_type\":\"tpm_quote\"},{\"data\":{\"entries\":\"HnsicGNyIjoxNX0K\",\"entry_count\":1},"   \
        "\"evidence_class\":\"log\",\"evidence_type\":\"cel_log\"}]},\"type\":\"attestation\"},"             \
        "\"jsonapi\":{\"version\":\"1.1\"}}"

/* The same with the epoch and floor counters. */
#define AV_COUNTERS                                                                                          \
        "{\"data\":{\"attributes\":{\"evidence_collected\":[{\"data\":{\"avow\":{\"counter_key\":\"MFkw\","  \
        "\"epoch\":{\"index\":25231616,\"message\":\"/1RDRw==\",\"signature\":\"ABgACw==\"},\"floor\":{"     \
        "\"index\":25231617,\"message\":\"/1RDRwE=\",\"signature\":\"ABgACwE=\"},\"time_message\":"          \
        "\"/1RDRw==\",\"time_signature\":\"ABgACw==\"},\"message\":\"/1RDRw==\",\"signature\":"              \
        "\"ABgACw==\",\"subject_data\":\"AQAAAA==\"},\"evidence_class\":\"certification\","                  \
        "\"evidence_type\":\"tpm_quote\"}]},\"type\":\"attestation\"},\"jsonapi\":{\"version\":\"1.1\"}}"

#define KL_ACK                                                                                               \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"stage\":\"evaluating_evidence\","             \
        "\"evidence\":[{\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\"}],"             \
        "\"system_info\":{\"boot_time\":\"2025-05-29T11:39:02+00:00\"},\"capabilities_received_at\":"        \
        "\"2026-11-21T17:41:11.123456+00:00\"}},\"meta\":{\"seconds_to_next_attestation\":60},"              \
        "\"links\":{\"self\":\"/3/agents/web-1/attestations/0\"},\"jsonapi\":{\"version\":\"1.1\"}}"

#define AV_OUTCOME                                                                                           \
        "{\"data\":{\"attributes\":{\"evaluation\":\"fail\",\"stage\":\"verification_complete\"},"           \
        "\"links\":{\"self\":\"/v3.0/agents/web-1/attestations/7\"},\"type\":\"attestation\"},\"jsonapi\":{" \
        "\"version\":\"1.1\"},\"meta\":{\"avow\":{\"next\":{\"challenges_expire_at\":"                       \
        "\"2026-11-21T17:42:11.123Z\",\"deadline_ms\":5000,\"evidence_requested\":[{"                        \
        "\"chosen_parameters\":{\"challenge\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","             \
        "\"hash_algorithm\":\"sha256\",\"selected_subjects\":{\"sha256\":[15]},\"signature_scheme\":"        \
        "\"ecdsa\"},\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\"},{"                 \
        "\"chosen_parameters\":{\"format\":\"application/json-seq\",\"starting_offset\":3},"                 \
        "\"evidence_class\":\"log\",\"evidence_type\":\"cel_log\"}],\"index\":8}},"                          \
        "\"seconds_to_next_attestation\":0}}"

#define H32(d) d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d
#define AV_NEXT                                                                                              \
        "{\"challenges_expire_at\":\"2026-11-21T17:42:11.123Z\",\"deadline_ms\":5000,\"evidence_"            \
        "requested\":[{"                                                                                     \
        "\"chosen_parameters\":{\"challenge\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","             \
        "\"hash_algorithm\":\"sha256\",\"selected_subjects\":{\"sha256\":[15]},\"signature_scheme\":"        \
        "\"ecdsa\"},\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\"}],\"index\":8}"
#define AV_RELEASE_REQUEST                                                                                   \
        "{\"schema\":\"avow.release-request/1\",\"secrets\":[{\"approval\":\"" H32(                          \
                "0a") "\",\"name\":\"db\",\"nonce\":\"" H32("01") "\"},"                                     \
                                                                  "{\"approval\":\"" H32(                    \
                                                                          "0b") "\",\"name\":\"tls.key\","   \
                                                                                "\"nonce\":\"" H32(          \
                                                                                        "02") "\"}]}"
#define AV_RELEASE_CHALLENGE                                                                                 \
        "{\"id\":\"" UUID_A "\",\"next\":" AV_NEXT ",\"schema\":\"avow.release-challenge/1\"}"
#define AV_RELEASE                                                                                           \
        "{\"lease_s\":60,\"meta\":{\"avow\":{\"next\":" AV_NEXT                                              \
        "},\"seconds_to_next_attestation\":30},\"releases\":["                                               \
        "{\"name\":\"db\",\"signature\":\"ABgACwAA\"}],\"schema\":\"avow.release/1\"}"
#define AV_NO_RELEASE                                                                                        \
        "{\"detail\":\"The approval was withdrawn.\",\"meta\":{\"avow\":" AV_WAIT                            \
        ",\"seconds_to_next_attestation\":30},"                                                              \
        "\"status\":403,\"title\":\"No release.\",\"type\":\"urn:avow:problem:withdrawn\",\"where\":\"db\"}"

/* A launch, and both answers to it. */
#define LAUNCH_D64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AV_LAUNCH                                                                                            \
        "{\"arguments\":\"" LAUNCH_D64 "\",\"closure\":\"" LAUNCH_D64                                        \
        "\",\"host\":\"web-1\",\"id\":\"" UUID_A "\",\"module\":{\"sha256\":\"" LAUNCH_D64                   \
        "\",\"sha384\":\"" LAUNCH_D64                                                                        \
        "0123456789abcdef0123456789abcdef\",\"size\":68000},\"nonce\":\"0a\",\"runtime\":\"node\","          \
        "\"schema\":\"avow.launch/1\",\"secrets\":[\"db\"]}"
#define AV_LAUNCH_REQUEST                                                                                    \
        "{\"claims\":\"a.b.c\",\"envelope\":\"{}\",\"launch\":" AV_LAUNCH                                    \
        ",\"schema\":\"avow.launch-request/1\",\"signature\":\"ABgACwAA\"}"
#define AV_LAUNCH_GRANTED                                                                                    \
        "{\"meta\":{\"avow\":{\"next\":" AV_NEXT "},\"seconds_to_next_attestation\":30},"                    \
        "\"permit\":\"a.b.c\",\"schema\":\"avow.launch/1\"}"
#define AV_LAUNCH_REFUSED                                                                                    \
        "{\"detail\":\"No policy allows this module.\",\"meta\":{\"avow\":" AV_WAIT                          \
        ",\"seconds_to_next_attestation\":30},\"next\":\"avow module allow x\","                             \
        "\"status\":403,\"title\":\"No launch.\",\"type\":\"urn:avow:problem:module-not-allowed\","          \
        "\"where\":\"module\"}"

/* What stands in meta.avow beside the next challenge, and in answers to GET …/wait alone. */
/* What hooks get, cut to what the agent's listener reads. */
#define AV_EVENT                                                                                             \
        "{\"data\":{\"host\":\"web-1\",\"jws\":\"eyJhIjoxfQ.e30.QUJD-_\","                                   \
        "\"nonce\":\"000102030405060708090a0b0c0d0e0f\"},\"specversion\":\"1.0\"}"
#define AV_WAIT                                                                                              \
        "{\"revocation\":{\"jws\":\"eyJhIjoxfQ.e30.QUJD-_\",\"nonce\":\"000102030405060708090a0b0c0d0e0f\"}" \
        ","                                                                                                  \
        "\"secrets\":{\"digest\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","      \
        "\"floor\":7}}"

#define AV_SESSION_RESULT                                                                                    \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"evaluation\":\"pass\",\"token\":\"" UUID_A                                                        \
        ".Zm9vYmFy_-\",\"created_at\":\"2026-11-21T17:41:11Z\","                                             \
        "\"challenges_expire_at\":\"2026-11-21T17:42:11Z\",\"response_received_at\":"                        \
        "\"2026-11-21T17:41:12Z\",\"token_expires_at\":\"2026-11-21T17:44:12Z\"}},\"meta\":{"                \
        "\"avow\":" AV_WAIT "}}"

#define AV_OUTCOME_REVOKED                                                                                   \
        "{\"data\":{\"attributes\":{\"evaluation\":\"fail\",\"stage\":\"verification_complete\"},"           \
        "\"links\":{\"self\":\"/v3.0/agents/web-1/attestations/7\"},\"type\":\"attestation\"},\"jsonapi\":{" \
        "\"version\":\"1.1\"},\"meta\":{\"avow\":" AV_WAIT ",\"seconds_to_next_attestation\":0}}"

#define KL_REGISTRATION                                                                                      \
        "{\"ekcert\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\","                 \
        "\"ek_tpm\":\"AAIAAQ==\",\"aik_tpm\":\"AAIAAQ==\",\"iak_tpm\":null,\"idevid_tpm\":null,"             \
        "\"iak_attest\":null,\"iak_sign\":null,\"idevid_cert\":null,\"iak_cert\":null,"                      \
        "\"mtls_cert\":\"disabled\",\"ip\":\"127.0.0.1\",\"port\":\"9002\"}"

#define KL_BLOB "{\"code\":200,\"status\":\"Success\",\"results\":{\"blob\":\"utzA3gAAAAE=\"}}"

#define TAG48                                                                                                \
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
#define KL_ACTIVATION "{\"auth_tag\":\"" TAG48 "\"}"

#define KL_RECORD                                                                                            \
        "{\"code\":200,\"status\":\"Success\",\"results\":{\"agent_id\":\"web-1\",\"ek_tpm\":\"AAIAAQ==\","  \
        "\"ekcert\":null,\"aik_tpm\":\"AAIAAQ==\",\"mtls_cert\":\"disabled\",\"ip\":null,\"port\":null,"     \
        "\"regcount\":2}}"

#define KL_NAMES "{\"code\":200,\"status\":\"Success\",\"results\":{\"uuids\":[\"web-1\",\"web-2\"]}}"
#define KL_UUIDS "{\"code\":200,\"status\":\"Success\",\"results\":{\"uuids\":[[\"web-1\"],[\"web-2\"]]}}"

#define KL_VERSIONS                                                                                          \
        "{\"code\":200,\"status\":\"Success\",\"results\":{\"current_version\":\"2.6\","                     \
        "\"supported_versions\":[\"1.0\",\"2.0\",\"2.1\",\"2.6\",\"3.0\"]}}"

/* What keylime_tenant sends in push mode. */
#define KL_ADD                                                                                               \
        "{\"v\":null,\"cloudagent_ip\":null,\"cloudagent_port\":null,\"verifier_ip\":\"127.0.0.1\","         \
        "\"verifier_port\":\"8881\",\"tpm_policy\":\"{\\\"15\\\": [\\\""                                     \
        "0000000000000000000000000000000000000000000000000000000000000000\\\", "                             \
        "\\\"0x0000000000000000000000000000000000000000\\\"], \\\"mask\\\": \\\"0x8000\\\"}\","              \
        "\"runtime_policy\":\"\",\"runtime_policy_name\":\"\",\"runtime_policy_key\":\"\","                  \
        "\"mb_policy\":null,\"mb_policy_name\":null,\"ima_sign_verification_keys\":\"[]\","                  \
        "\"metadata\":\"{}\",\"revocation_key\":\"\",\"accept_tpm_hash_algs\":[\"sha256\"],"                 \
        "\"accept_tpm_encryption_algs\":[\"rsa\",\"ecc\"],\"accept_tpm_signing_algs\":[\"rsassa\"],"         \
        "\"ak_tpm\":\"AAIAAQ==\",\"mtls_cert\":\"disabled\",\"supported_version\":\"3.0\"}"

#endif
