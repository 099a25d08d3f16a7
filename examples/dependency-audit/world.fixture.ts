/** The world of an audit's tools in a test: what the registry has, what fails, what was asked and written. */
import { CodedError, delegate, type ProvidedTool, provide } from 'ringmesh/runtime';
import { fetchFacts, readLock, writeReport } from './contracts.ts';
import type { Lock } from './lock-file.ts';
import { locked } from './locked.fixture.ts';
import type { PackageFacts } from './package-document.ts';
import { Report } from './report.ts';

const integrity = `sha512-${'A'.repeat(86)}==`;

export class World {
  names: readonly string[];
  failing = new Set<string>();
  readonly asked: string[] = [];
  readonly files = new Map<string, string>();
  writeFails = false;

  constructor(count: number) {
    this.names = Array.from({ length: count }, (_, n) => `p${String(n).padStart(2, '0')}`);
  }

  get tools(): readonly ProvidedTool[] {
    return [
      provide(readLock, () => this.#lock()),
      provide(delegate, ({ to, command }) => ({ delegation: `${command} for ${to}`, expires: 0 })),
      provide(fetchFacts, ({ name, versions }) => {
        this.asked.push(name);
        if (this.failing.has(name)) throw new CodedError('registry.unreachable', 'no answer');
        return { type: 'facts', facts: factsOf(name, versions) } as const;
      }),
      provide(writeReport, ({ path, text }) => {
        if (this.writeFails) throw new CodedError('file.not_plain', 'a link');
        this.files.set(path, text);
        return { path, bytes: text.length, digest: '', isChanged: true };
      }),
    ];
  }

  report(): Report {
    return Report.parse(JSON.parse(this.files.get('report.json') ?? ''));
  }

  #lock(): Lock {
    const packages = this.names.map((name) => locked({ name, version: '1.0.0' }));
    return { lockfileVersion: 3, digest: `lock of ${this.names.length}`, packages, skipped: [] };
  }
}

export function factsOf(name: string, versions: readonly string[]): PackageFacts {
  const version = { version: '1.0.0', integrity, deprecated: null, installScripts: [], licence: 'MIT', publishedAt: 0 };
  const found = versions.map((one) => ({ ...version, version: one }));
  return {
    name,
    digest: 'd',
    bytes: 9,
    latest: version,
    versions: found,
    versionsTotal: 1,
    lastPublishAt: null,
    maintainers: 1,
    isUnpublished: false,
  };
}
