#!/usr/bin/env python3
"""check-sums.py DISK.raw NEWEST.sums [OLDER.sums ...]: every cluster of a raw disk against its sum. Ends with 1 if one differs."""
import hashlib, struct, sys

raw, *files = sys.argv[1:]
sums = {}
for name in reversed(files):  # newer sums hide older ones
    records = open(name, 'rb').read()
    magic, version, cluster, size, count = struct.unpack_from('<8sIIQQ', records)
    if magic != b'HFSUMS\r\n' or version != 1 or len(records) != 32 + 24 * count:
        sys.exit(f'{name} is not a whole sums file')
    for at in range(32, len(records), 24):
        sums[int.from_bytes(records[at:at + 6], 'little')] = records[at + 8:at + 24]
bad, digest, zero = 0, hashlib.sha256(), bytes(cluster)
with open(raw, 'rb') as disk:
    for index in range((size + cluster - 1) // cluster):
        found = hashlib.sha256(data := disk.read(cluster).ljust(cluster, b'\0')).digest()[:16]
        if found != sums.get(index, found if data == zero else None):
            print(f'guest offset {index * cluster}: differs from its sum')
            bad = 1
        elif data != zero:
            digest.update(index.to_bytes(8, 'little') + found)
print(f'"digest": "{digest.hexdigest()}"' if bad == 0 else 'damaged')
sys.exit(bad)
