/** Whom a process has called, from a record of strace: every socket that it connected, every datagram that it sent. */
export const CALLS_TRACED = [
  ...['strace', '-f', '-qq', '--seccomp-bpf', '-e', 'signal=none'],
  ...['-e', 'trace=connect,sendto,sendmsg,sendmmsg'],
] as const;

/** Each address once, as `host:port`, or as strace wrote it if it is neither IPv4 nor IPv6. What has no address goes over a
 *  socket that was connected before. */
export function calledIn(trace: string): readonly string[] {
  const called = new Set<string>();
  for (const [, family, rest = ''] of trace.matchAll(/\bsa_family=(AF_\w+)(.*)/g)) {
    const port = /sin6?_port=htons\((\d+)\)/.exec(rest)?.[1];
    const host = /inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/.exec(rest);
    const isAddress = port !== undefined && host !== null;
    called.add(isAddress ? `${host[1] ?? `[${host[2]}]`}:${port}` : `${family}${rest}`);
  }
  return [...called].sort();
}
