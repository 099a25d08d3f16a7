import fc from 'fast-check';
import { base32, base32upper } from 'multiformats/bases/base32';
import { base58btc } from 'multiformats/bases/base58';
import { CID } from 'multiformats/cid';
import * as multihash from 'multiformats/hashes/digest';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../core/bytes.ts';
import { cidFromDigest, cidOf, digestOfCid, parseCid } from './cid.ts';
import { sha256 } from './digest.ts';

const RAW = 0x55;
const SHA2_256 = 0x12;
const digest = sha256(utf8('hello'));
const cid = cidFromDigest(digest);

describe('a content id', () => {
  test('is the one that multiformats makes, and leads back to the digest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const oracle = CID.createV1(RAW, multihash.create(SHA2_256, sha256(bytes)));
        expect(cidOf(bytes)).toBe(oracle.toString());
        expect(parseCid(cidOf(bytes))).toEqual({ ok: true, value: oracle.toString() });
        expect(toHex(digestOfCid(cidOf(bytes)))).toBe(toHex(sha256(bytes)));
      }),
    );
  });

  test('of raw bytes is the one that IPFS tools write for the same bytes', () => {
    expect(cidOf(utf8('hello world'))).toBe('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
  });

  test.each([
    ['nothing', ''],
    ['capitals of the same base', base32upper.encode(CID.parse(cid).bytes)],
    ['one capital', cid.replace(/[a-z]$/, (last) => last.toUpperCase())],
    ['another base', base58btc.encode(CID.parse(cid).bytes)],
    ['version 0', CID.createV0(multihash.create(SHA2_256, digest)).toString()],
    ['the codec dag-cbor', CID.createV1(0x71, multihash.create(SHA2_256, digest)).toString()],
    ['the hash sha3-256', CID.createV1(RAW, multihash.create(0x16, digest)).toString()],
    ['a digest cut to 31 bytes', CID.createV1(RAW, multihash.create(SHA2_256, digest.subarray(0, 31))).toString()],
    ['a byte after the digest', base32.encode(Uint8Array.of(...CID.parse(cid).bytes, 0))],
    ['stray bits in the last character', `${cid.slice(0, -1)}b`],
    ['padding', `${cid}=`],
    ['padding for the last character', `${cid.slice(0, -1)}=`],
    ['a character outside the alphabet', `${cid.slice(0, -1)}1`],
    ['a path', `${cid}/a`],
    ['white space', `${cid} `],
  ])('is not read from %s', (_, text) => {
    expect(parseCid(text)).toMatchObject({ ok: false, error: { code: 'cid.malformed' } });
  });
});
