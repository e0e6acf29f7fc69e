// SPDX-License-Identifier: Apache-2.0
// A WASI command in Node's own `node:wasi`, for avow's launcher: node [OPTION...] node-wasi.js MODULE SECRETS [ARGUMENT...]
// MODULE may be a descriptor's name (/proc/self/fd/3). The guest sees the folder SECRETS as /secrets, its arguments,
// and nothing else: no environment, no other folder. Works from Node 18 on, whose WASI has no getImportObject().
'use strict';
const { readFileSync } = require('fs');
const { WASI } = require('wasi');

const [, , file, secrets, ...args] = process.argv;
const wasi = new WASI({ version: 'preview1', args: ['module', ...args], env: {}, preopens: { '/secrets': secrets }, returnOnExit: true });

WebAssembly.compile(readFileSync(file)).then((module) => {
	const wanted = WebAssembly.Module.imports(module).map((i) => i.module);
	const imports = {};
	for (const name of wanted) imports[name] = wasi.wasiImport; // wasi_snapshot_preview1, or its older name
	return WebAssembly.instantiate(module, imports);
}).then((instance) => {
	process.exitCode = wasi.start(instance);
}).catch((error) => {
	console.error(`node-wasi: ${error}`);
	process.exitCode = 125;
});
