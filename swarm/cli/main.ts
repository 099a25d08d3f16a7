#!/usr/bin/env node
// The `ringmesh` command. Loads nothing but the command line itself: a command's code is loaded when it runs.
import { writeSync } from 'node:fs';
import { reportedText, run } from './run.ts';
import { systemShell } from './shell.ts';

const args = process.argv.slice(2);
const shell = systemShell();

// What no command has caught is a bug of ours: said in the same form, and nothing is tried after it.
process.on('uncaughtException', (thrown) => {
  const { text, exit } = reportedText(thrown, args, shell.env);
  writeSync(2, text);
  process.exit(exit);
});

const { code, signal } = await run(args, shell);
process.exitCode = code;
// Whoever waits for us learns that a signal ended us, as if it had not been caught. As process 1 it cannot: then by code.
if (signal !== undefined) process.kill(process.pid, signal);
