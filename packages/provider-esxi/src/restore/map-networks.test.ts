import { expect, test } from 'vitest'
import { mapNetworks } from './map-networks.ts'

const network = (name: string) => ({ ref: { type: 'Network', value: `network-${name}` }, name })
const [lan, dmz, lab] = [network('LAN'), network('DMZ'), network('Lab')]
const open = { given: {}, isolated: false, at: 'esx1' }
const targets = (mapped: ReturnType<typeof mapNetworks>) => mapped.mapping.map(({ name, network: { name: to } }) => `${name} to ${to}`)

test('networks of the same name are taken, then the only one there is', () => {
  expect(targets(mapNetworks(['DMZ', 'LAN'], [lan, dmz], open))).toEqual(['DMZ to DMZ', 'LAN to LAN'])
  expect(targets(mapNetworks(['Office'], [lan], open))).toEqual(['Office to LAN'])
})

test('options win over names', () => {
  expect(targets(mapNetworks(['LAN'], [lan, dmz], { given: { LAN: 'DMZ' }, isolated: false, at: 'esx1' }))).toEqual(['LAN to DMZ'])
})

test('14: every network that stays unmapped is named, with those of the host', () => {
  expect(() => mapNetworks(['A', 'LAN', 'B'], [lan, dmz], open)).toThrow(/"A", "B".*"LAN", "DMZ"/)
})

test('options that name what is not there are refused with what was probably meant', () => {
  expect(() => mapNetworks(['LAN'], [lan, dmz], { given: { LAM: 'DMZ' }, isolated: false, at: 'esx1' })).toThrow(/networks\["LAM"\].*"LAN"/)
  expect(() => mapNetworks(['LAN'], [lan, dmz], { given: { LAN: 'DMX' }, isolated: false, at: 'esx1' })).toThrow(
    /no such network, only "LAN", "DMZ"/,
  )
})

test('of an isolated machine only what the options map is asked for, and nothing else is put on such a network if there is another one', () => {
  const mapped = mapNetworks(['LAN', 'Office'], [lan, lab], { given: { Office: 'Lab' }, isolated: true, at: 'esx1' })
  expect(targets(mapped)).toEqual(['LAN to LAN', 'Office to Lab'])
  expect(mapped.asked).toEqual([lab])
})

test('of an isolated machine no card is connected to a network that a card which must not be connected had to be put on', () => {
  const mapped = mapNetworks(['LAN', 'Office'], [lab], { given: { Office: 'Lab' }, isolated: true, at: 'esx1' })
  expect(targets(mapped)).toEqual(['LAN to Lab', 'Office to Lab'])
  expect(mapped.asked).toEqual([])
})
