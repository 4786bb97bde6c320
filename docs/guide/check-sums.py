#!/usr/bin/env python3
"""check-sums.py DISK.raw NEWEST.sums [OLDER.sums ...]: every cluster of a raw disk against its sum. Ends with 1 unless all are proven."""
import hashlib, struct, sys

raw, *files = sys.argv[1:] or ['']
if not files:
    sys.exit(__doc__)
layers, told = [], {}  # newest first: newer sums hide older ones
for name in reversed(files):
    records = open(name, 'rb').read()
    magic, version, cluster, size, count = struct.unpack_from('<8sIIQQ', records.ljust(32))
    if magic != b'HFSUMS\r\n' or version != 1 or len(records) != 32 + 24 * count:
        sys.exit(f'{name} is not a whole sums file')
    layers.insert(0, {int.from_bytes(records[at:at + 6], 'little'): records[at + 8:at + 24] for at in range(32, len(records), 24)})
digest, zero, wrong = hashlib.sha256(), bytes(cluster), 'differs from its sum'
with open(raw, 'rb') as disk:
    for index in range((size + cluster - 1) // cluster):
        found = hashlib.sha256(data := disk.read(cluster).ljust(cluster, b'\0')).digest()[:16]
        sums = [layer[index] for layer in layers if index in layer]
        if found == sums[0] if sums else data == zero:
            digest.update(b'' if data == zero else index.to_bytes(8, 'little') + found)
            continue
        what = wrong if sums else 'has no sum in the files you gave: is an older .sums missing?'
        if found in sums:
            what = 'has an older sum: do the files not stand newest first? If they do, it is damaged'
        told[what] = told.get(what, 0) + 1
        if told[what] == 1 or what == wrong:
            print(f'guest offset {index * cluster}: {what}')
print('damaged' if wrong in told else f'not proven: {sum(told.values())} cluster(s)' if told else f'"digest": "{digest.hexdigest()}"')
sys.exit(1 if told else 0)
