import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { type Environment, parseExperiment } from './experiment.ts';

type Document = { readonly [key: string]: JsonValue };

const program = { type: 'process', path: 'node', arguments: ['--version'] };
const probe = { type: 'probe', name: 'well', provider: program, tolerance: 0 };
const kill = {
  type: 'action',
  name: 'kill',
  background: true,
  provider: { type: 'mesh', action: 'kill_node', log: 'a', when: { event: 'message.sent', count: 2, within: 10 } },
};
const least = { title: 'a title', description: 'why', method: [probe] };

/** What was refused, as `path: code`, or the experiment. */
function parse(document: JsonValue, environment: Environment = {}) {
  return parseExperiment(
    { value: document, fault: (code, message, { path }) => ({ at: path.join('.'), code, message }) },
    environment,
  );
}

function refusals(document: JsonValue, environment: Environment = {}): readonly string[] {
  const parsed = parse(document, environment);
  return parsed.ok ? [] : parsed.error.map(({ at, code }) => `${at}: ${code}`);
}

/** How a document asks for a part of its configuration. */
function given(name: string): string {
  return `$\{${name}}`;
}

function withMethod(...method: readonly JsonValue[]): Document {
  return { ...least, method };
}

function withProvider(provider: JsonValue): Document {
  return withMethod({ type: 'action', name: 'a', provider });
}

describe('an experiment', () => {
  test('may say all that is supported', () => {
    const document = {
      ...least,
      version: '1.0.0',
      tags: ['audit'],
      contributions: { reliability: 'high' },
      configuration: { place: { type: 'env', key: 'PLACE', default: 'here' }, port: 4222, isFast: true },
      'steady-state-hypothesis': {
        title: 'all is well',
        probes: [
          { ...probe, tolerance: { type: 'range', range: [0, 3], target: 'status' } },
          { ...probe, tolerance: { type: 'regex', pattern: '^v', target: 'stdout' }, pauses: { before: 1 } },
        ],
      },
      method: [
        kill,
        { type: 'action', name: 's', provider: { type: 'mesh', action: 'stop_node', log: 'b', expires: 5 } },
        { type: 'action', name: 'r', provider: { type: 'mesh', action: 'resume_node', log: 'b' } },
        { type: 'probe', name: 'p', provider: program },
      ],
      rollbacks: [{ type: 'action', name: 'r', provider: { type: 'mesh', action: 'resume_node', log: 'b' } }],
    };

    const experiment = unwrap(parse(document), 'supported');

    expect(experiment).toMatchObject({ title: 'a title', document });
    expect([experiment.hypothesis.length, experiment.method.length, experiment.rollbacks.length]).toEqual([2, 4, 1]);
  });

  test('takes its configuration from the environment, else from its defaults, and does not repeat it', () => {
    const asWritten = {
      ...probe,
      provider: {
        ...program,
        path: `${given('bin')}/node`,
        arguments: ['-p', given('n'), `$${given('n')}${given('n')}`],
      },
    };
    const document = {
      ...withMethod(asWritten),
      configuration: { bin: { type: 'env', key: 'BIN', default: '/bin' }, n: { type: 'env', key: 'N', default: 7 } },
    };

    const { method } = unwrap(parse(document, { BIN: '/opt' }), 'configured');

    expect(method[0]?.provider).toEqual({ ...program, path: '/opt/node', arguments: ['-p', '7', '$77'] });
    expect(method[0]?.asWritten).toEqual(asWritten);
  });

  test('what came from the environment is not looked through for names again', () => {
    const document = {
      ...withProvider({ ...program, arguments: [given('a')] }),
      configuration: { a: { type: 'env', key: 'A' }, b: 'secret' },
    };

    const { method } = unwrap(parse(document, { A: given('b') }), 'configured');

    expect(method[0]?.provider).toMatchObject({ arguments: [given('b')] });
  });

  test.each<[string, JsonValue, readonly string[]]>([
    ['no document', null, [': document.malformed']],
    ['no method', { title: 'a', description: 'b' }, ['method: document.malformed']],
    ['an empty method', withMethod(), ['method: document.malformed']],
    ['another version', { ...least, version: '2.0.0' }, ['version: document.malformed']],
    ['controls', { ...least, controls: [] }, ['controls: document.unknown_key']],
    ['secrets', { ...least, secrets: {} }, ['secrets: document.unknown_key']],
    ['a runtime strategy', { ...least, runtime: {} }, ['runtime: document.unknown_key']],
    ['a misspelt key', withMethod({ ...probe, tolerence: 0 }), ['method.0.tolerence: document.unknown_key']],
    ['a reference', withMethod({ ref: 'well' }), ['method.0.type: document.malformed']],
    [
      'python',
      withProvider({ type: 'python', module: 'os', func: 'x' }),
      ['method.0.provider.type: document.malformed'],
    ],
    ['http', withProvider({ type: 'http', url: 'x' }), ['method.0.provider.type: document.malformed']],
    [
      'a fault that is not there',
      withProvider({ type: 'mesh', action: 'partition', log: 'a' }),
      ['method.0.provider.action: document.malformed'],
    ],
    [
      'a node that stands still for ever',
      withProvider({ type: 'mesh', action: 'stop_node', log: 'a' }),
      ['method.0.provider.expires: document.malformed'],
    ],
    [
      'a moment without an end',
      withProvider({ type: 'mesh', action: 'kill_node', log: 'a', when: { event: 'e', count: 1 } }),
      ['method.0.provider.when.within: document.malformed'],
    ],
    [
      'a text as arguments, which a shell would have to take apart',
      withProvider({ ...program, arguments: '-c x' }),
      ['method.0.provider.arguments: document.malformed'],
    ],
    ['no time at all', withProvider({ ...program, timeout: 0 }), ['method.0.provider.timeout: document.malformed']],
    ['two hours', withProvider({ ...program, timeout: 7_200 }), ['method.0.provider.timeout: document.malformed']],
    [
      'a list as tolerance, which is a range to some and a set to others',
      withMethod({ ...probe, tolerance: [0, 3] }),
      ['method.0.tolerance: document.malformed'],
    ],
    [
      'a text as tolerance of an exit status',
      withMethod({ ...probe, tolerance: 'OK' }),
      ['method.0.tolerance: document.malformed'],
    ],
    [
      'a jsonpath',
      withMethod({ ...probe, tolerance: { type: 'jsonpath', path: '$.a' } }),
      ['method.0.tolerance: document.malformed'],
    ],
    [
      'a range upside down',
      withMethod({ ...probe, tolerance: { type: 'range', range: [3, 0], target: 'status' } }),
      ['method.0.tolerance.range: document.malformed'],
    ],
    [
      'no regular expression',
      withMethod({ ...probe, tolerance: { type: 'regex', pattern: '(', target: 'stdout' } }),
      ['method.0.tolerance.pattern: document.malformed'],
    ],
    [
      'a hypothesis that tolerates everything',
      {
        ...least,
        'steady-state-hypothesis': { title: 'a', probes: [{ type: 'probe', name: 'a', provider: program }] },
      },
      ['steady-state-hypothesis.probes.0.tolerance: document.malformed'],
    ],
    [
      'a hypothesis that acts',
      { ...least, 'steady-state-hypothesis': { title: 'a', probes: [kill] } },
      [
        'steady-state-hypothesis.probes.0.type: document.malformed',
        'steady-state-hypothesis.probes.0.provider.type: document.malformed',
        'steady-state-hypothesis.probes.0.provider.path: document.malformed',
        'steady-state-hypothesis.probes.0.provider.action: document.unknown_key',
        'steady-state-hypothesis.probes.0.provider.log: document.unknown_key',
        'steady-state-hypothesis.probes.0.provider.when: document.unknown_key',
        'steady-state-hypothesis.probes.0.tolerance: document.malformed',
      ],
    ],
    [
      'a rollback that only looks',
      { ...least, rollbacks: [probe] },
      ['rollbacks.0.type: document.malformed', 'rollbacks.0.tolerance: document.unknown_key'],
    ],
    [
      'a rollback of what nothing has stopped',
      {
        ...least,
        rollbacks: [{ type: 'action', name: 'r', provider: { type: 'mesh', action: 'resume_node', log: 'b' } }],
      },
      ['rollbacks.0.provider.log: document.malformed'],
    ],
    [
      'a name that nobody configured',
      withProvider({ ...program, arguments: ['a', given('nobody')] }),
      ['method.0.provider.arguments.1: document.unknown_name'],
    ],
    [
      'a name that only objects have',
      withProvider({ ...program, path: given('constructor') }),
      ['method.0.provider.path: document.unknown_name'],
    ],
    [
      'a variable that is not set',
      { ...least, configuration: { a: { type: 'env', key: 'A' } } },
      ['configuration.a: document.unknown_name'],
    ],
  ])('with %s is refused at its place', (_, document, expected) => {
    const found = refusals(document);

    expect(found).toEqual(expected);
  });

  test('a provider that is not supported is told with what is', () => {
    const parsed = parse(withProvider({ type: 'python', module: 'os', func: 'x' }));

    expect(parsed).toMatchObject({
      ok: false,
      error: [{ message: 'expected process or mesh: nothing else is supported here, found "python"' }],
    });
  });
});
