/** The report of an audit, for people (`report.md`) and for programs (`report.json`). Pure: the same audit, the same bytes. */
import { z } from 'zod';
import { formatInstant } from './instant.ts';
import { RULES, type Rule, SEVERITIES, type Severity } from './judge.ts';
import { compareText, Skipped } from './lock-file.ts';

const Finding = z.strictObject({ rule: z.enum(ruleNames()), severity: z.enum(SEVERITIES), message: z.string() });

export const AuditedPackage = z.strictObject({
  name: z.string(),
  version: z.string(),
  isDev: z.boolean(),
  paths: z.array(z.string()),
  /** SHA-256 of the document that was judged by; `null` where the registry has none. */
  document: z.string().nullable(),
  findings: z.array(Finding),
});

const Missing = z.strictObject({ name: z.string(), code: z.string(), message: z.string() });

/** Everything that a report is made from, in any order. */
export const Audit = z.strictObject({
  at: z.int(),
  lock: z.strictObject({ digest: z.string(), lockfileVersion: z.int() }),
  audited: z.array(AuditedPackage),
  /** Packages whose document could not be had. Another run tries them again. */
  missing: z.array(Missing),
  skipped: z.array(Skipped),
});

export type AuditedPackage = z.infer<typeof AuditedPackage>;
export type Audit = z.infer<typeof Audit>;

const Counts = z.strictObject({ critical: z.int(), high: z.int(), medium: z.int(), low: z.int(), info: z.int() });

/** The form of `report.json`. A field more is another version. */
export const Report = z.strictObject({
  schema: z.literal('ringmesh.dependency-audit/1'),
  at: z.iso.datetime(),
  isComplete: z.boolean(),
  lock: z.strictObject({ digest: z.string(), lockfileVersion: z.int() }),
  summary: z.strictObject({ audited: z.int(), missing: z.int(), skipped: z.int(), findings: Counts }),
  packages: z.array(AuditedPackage),
  missing: z.array(Missing),
  skipped: z.array(Skipped),
});

export type Report = z.infer<typeof Report>;

/** The audit in the one order that a report has: worst first, then by name. */
export function reportOf(audit: Audit): Report {
  const packages = audit.audited
    .map(({ name, version, isDev, document, paths, findings }) => ({
      name,
      version,
      isDev,
      paths: [...paths].sort(compareText),
      document,
      findings: findings.map(({ rule, severity, message }) => ({ rule, severity, message })),
    }))
    .sort(
      (a, b) =>
        worst(a.findings) - worst(b.findings) || compareText(a.name, b.name) || compareText(a.version, b.version),
    );
  return {
    schema: 'ringmesh.dependency-audit/1',
    at: formatInstant(audit.at),
    isComplete: audit.missing.length === 0,
    lock: { digest: audit.lock.digest, lockfileVersion: audit.lock.lockfileVersion },
    summary: {
      audited: packages.length,
      missing: audit.missing.length,
      skipped: audit.skipped.length,
      findings: countFindings(packages.flatMap(({ findings }) => findings)),
    },
    packages,
    missing: audit.missing
      .map(({ name, code, message }) => ({ name, code, message }))
      .sort((a, b) => compareText(a.name, b.name)),
    skipped: audit.skipped
      .map(({ path, reason, message }) => ({ path, reason, message }))
      .sort((a, b) => compareText(a.path, b.path)),
  };
}

export function countFindings(findings: readonly { readonly severity: Severity }[]): Record<Severity, number> {
  const counts: Record<Severity, number> = { critical: 0, high: 0, medium: 0, low: 0, info: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}

/** `report.json`. */
export function toJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** `report.md`. Texts of strangers stand in it as texts: they can make no link, table cell or heading. */
export function toMarkdown(report: Report): string {
  const { audited, missing, skipped, findings } = report.summary;
  const lines = [
    '# Dependency audit',
    '',
    `As of ${report.at}, lock \`${report.lock.digest}\`: ${audited} packages audited, ${missing} missing, ${skipped === 1 ? '1 entry' : `${skipped} entries`} skipped.`,
    ...(report.isComplete ? [] : ['', '**Incomplete.** Run the audit again: it fetches only what is missing.']),
    '',
    ...table(
      ['severity', 'findings'],
      SEVERITIES.map((severity) => [severity, String(findings[severity])]),
    ),
    ...rulesSection(report),
    ...findingsSection(report),
    ...section(
      'Missing',
      ['package', 'code', 'why'],
      report.missing.map((row) => [row.name, row.code, row.message]),
    ),
    ...section(
      'Skipped',
      ['entry', 'why'],
      report.skipped.map((row) => [row.path || '(root)', row.message]),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function rulesSection(report: Report): readonly string[] {
  const counts = new Map<string, number>();
  for (const { rule } of report.packages.flatMap(({ findings }) => findings))
    counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const rows = Object.entries(RULES)
    .filter(([rule]) => counts.has(rule))
    .map(([rule, [severity, reason]]) => [severity, rule, String(counts.get(rule)), reason]);
  return section('By rule', ['severity', 'rule', 'packages', 'why it matters'], rows);
}

function findingsSection(report: Report): readonly string[] {
  const rows = SEVERITIES.flatMap((severity) =>
    report.packages.flatMap((found) =>
      found.findings
        .filter((one) => one.severity === severity)
        .map(({ rule, message }) => [
          severity,
          `${found.name} ${found.version}${found.isDev ? ' (dev)' : ''}`,
          rule,
          message,
        ]),
    ),
  );
  return section('Findings', ['severity', 'package', 'rule', 'what was found'], rows);
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length === 0 ? [] : ['', `## ${title}`, '', ...table(head, rows)];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(plain).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Text that means nothing in Markdown: every character that could begin something is escaped, addresses do not become links. */
function plain(cell: string): string {
  if (/^-+$/.test(cell)) return cell;
  return cell
    .replace(/[\r\n]+/g, ' ')
    .replace(/[\\`*_{}[\]()<>#!|~&$]/g, (character) => `\\${character}`)
    .replace(/:\/\//g, ':\u2060//')
    .replace(/\b(www)\./gi, '$1\u2060.')
    .replace(/(\S)@(?=\S+\.)/g, '$1\u2060@');
}

function worst(findings: readonly { readonly severity: Severity }[]): number {
  return Math.min(SEVERITIES.length, ...findings.map(({ severity }) => SEVERITIES.indexOf(severity)));
}

function ruleNames(): readonly Rule[] {
  return Object.keys(RULES) as Rule[];
}
