# SPDX-License-Identifier: Apache-2.0
# What an installation needs beside the programs: units, users, folders, examples, completion.
units_in = \
	contrib/systemd/avow-agent.service.in \
	contrib/systemd/avow-registrar.service.in contrib/systemd/avow-registrar.socket.in \
	contrib/systemd/avow-verifier.service.in contrib/systemd/avow-verifier.socket.in
units = $(units_in:.in=)
filled = $(units) contrib/systemd/avow.tmpfiles

$(filled): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|@localstatedir[@]|$(localstatedir)|g' -e 's|@runstatedir[@]|$(runstatedir)|g' $< >$@.new && mv $@.new $@
CLEANFILES += $(filled)

examplesdir = $(docdir)/examples
dist_examples_DATA = contrib/examples/agent.yaml contrib/examples/avow.yaml contrib/examples/registrar.yaml \
	contrib/examples/verifier.yaml
completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = contrib/completion/avow contrib/completion/avow-run

if WITH_SYSTEMD_UNITS
nodist_systemdsystemunit_DATA = $(units)

install-data-hook: contrib/systemd/avow.tmpfiles
	$(MKDIR_P) '$(DESTDIR)$(prefix)/lib/sysusers.d' '$(DESTDIR)$(prefix)/lib/tmpfiles.d'
	$(INSTALL_DATA) $(srcdir)/contrib/systemd/avow.sysusers '$(DESTDIR)$(prefix)/lib/sysusers.d/avow.conf'
	$(INSTALL_DATA) contrib/systemd/avow.tmpfiles '$(DESTDIR)$(prefix)/lib/tmpfiles.d/avow.conf'
uninstall-hook:
	rm -f '$(DESTDIR)$(prefix)/lib/sysusers.d/avow.conf' '$(DESTDIR)$(prefix)/lib/tmpfiles.d/avow.conf'
endif

# What the kernel is to measure; `avow host prepare` installs it.
imadir = $(datadir)/avow/ima
dist_ima_DATA = contrib/ima/ima-policy
