/** Requests as people write them, in tests and on the wire: the shape, with what may be left out. */
import { z } from 'zod';
import {
  CLASSIFICATIONS,
  EFFECT_CLASSES,
  EFFECTS,
  INTEGRITIES,
  POINTS,
  type PolicyRequest,
  REVERSIBILITIES,
  VERBS,
} from '../decision/request.ts';

const text = z.string().max(1_000);

const SubjectShape = z.strictObject({
  id: text.optional(),
  name: text.optional(),
  ring: z.int().min(0).max(3).optional(),
  trust: z.int().min(0).max(1000).optional(),
  tenant: text.optional(),
  mesh: text.optional(),
  team: text.optional(),
  roles: z.array(text).optional(),
  scopes: z.array(text).optional(),
  sponsor: text.optional(),
  chain: z.array(text).optional(),
});

const ActShape = z.strictObject({
  verb: z.enum(VERBS).optional(),
  effects: z.array(z.enum(EFFECTS)).optional(),
  reversibility: z.enum(REVERSIBILITIES).optional(),
  risk: z.int().min(0).max(4).optional(),
  class: z.enum(EFFECT_CLASSES).optional(),
  scope: text.optional(),
  classification: z.enum(CLASSIFICATIONS).optional(),
  manifest: text.optional(),
});

export const GivenShape = z.strictObject({
  tool: text.optional(),
  point: z.enum(POINTS).optional(),
  at: z.int().min(0).optional(),
  subject: SubjectShape.optional(),
  action: ActShape.optional(),
  args: z.json().optional(),
  output: z.json().optional(),
  resource: z
    .strictObject({
      type: text.optional(),
      id: text.optional(),
      labels: z.array(text).optional(),
      attrs: z.json().optional(),
    })
    .optional(),
  task: z
    .strictObject({ id: text, purpose: text.optional(), depth: z.int().optional(), tools: z.array(text).optional() })
    .optional(),
  flow: z
    .record(z.string(), z.strictObject({ integrity: z.enum(INTEGRITIES), labels: z.array(text).optional() }))
    .optional(),
  facts: z
    .record(
      z.string(),
      z.array(z.strictObject({ within: z.string(), key: z.array(text), count: z.int(), sum: z.int().optional() })),
    )
    .optional(),
  context: z.json().optional(),
  notes: z.json().optional(),
});

export type Given = z.infer<typeof GivenShape>;

/** What is not said is harmless: an ordinary agent of ring 2, acting on its own behalf. */
export function requestOf(id: string, given: Given, windowMs: (text: string) => number | undefined): PolicyRequest {
  const { tool = '', point = 'pre_tool', at = 0, subject = {}, action = {}, args = {}, facts, ...rest } = given;
  const readings =
    facts === undefined
      ? undefined
      : Object.fromEntries(
          Object.entries(facts).map(([name, all]) => [
            name,
            all.map(({ within, ...reading }) => ({ windowMs: windowMs(within) ?? 0, ...reading })),
          ]),
        );
  const request = {
    v: 1,
    id,
    point,
    at,
    subject: { id: 'did:example:agent', name: 'agent', ring: 2, trust: 600, ...subject },
    action: { tool, verb: 'use', ...action },
    args,
    ...(readings === undefined ? {} : { facts: { at, readings } }),
    ...rest,
  };
  return request as PolicyRequest; // of the shape above, with every default filled in
}
