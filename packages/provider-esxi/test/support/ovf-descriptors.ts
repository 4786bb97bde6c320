import { readFileSync } from 'node:fs'

/** Descriptors as the usual writers lay them out, made by hand. That of govc has its well-known wrong sizes. */
export type DescriptorName = 'vcenter' | 'ovftool' | 'virtualbox' | 'govc'

export const descriptorOf = (name: DescriptorName): string => readFileSync(new URL(`../descriptors/${name}.ovf`, import.meta.url), 'utf8')
