#!/usr/bin/env node
// The `ringmesh` command. Loads nothing but the command line itself: a command's code is loaded when it runs.
import { run } from './run.ts';
import { systemShell } from './shell.ts';

const { code, signal } = await run(process.argv.slice(2), systemShell());
process.exitCode = code;
// Whoever waits for us learns that a signal ended us, as if it had not been caught. As process 1 it cannot: then by code.
if (signal !== undefined) process.kill(process.pid, signal);
