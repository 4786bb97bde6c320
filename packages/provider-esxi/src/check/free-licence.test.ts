import { describe, expect, it } from 'vitest'
import { type Connected, call, connected } from '../../test/support/simulated-host.ts'
import { createHostRequests } from '../vim25/host-requests.ts'
import { type MethodName, methods } from '../vim25/methods.ts'
import { createPinnedAgent } from '../vim25/pinned-agent.ts'
import type { MethodEntry } from '../vim25/schema/schema-entry.ts'
import { privilegesByUse } from './privilege-table.ts'

const all: { readonly [name: string]: MethodEntry } = methods
const writing = [...new Set(Object.values(privilegesByUse).flatMap((each) => each.flatMap((one) => one.methods)))].filter(
  (name) => all[name]?.reads !== true,
)
const reading = Object.keys(methods).filter((name) => all[name]?.reads === true)

/** What a host answers to calls without parameters: whether it would do them is asked, and they are not done. */
async function answers({ simulator }: Connected, names: readonly string[]): Promise<readonly string[]> {
  const agent = createPinnedAgent(simulator.thumbprint(), { connectMs: 5000, answerMs: 5000, bodyMs: 5000 })
  const requests = createHostRequests(simulator, agent)
  const ask = async (name: string, type: string, content = '') => {
    const body = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><${name} xmlns="urn:vim25"><_this type="${type}">none</_this>${content}</${name}></e:Body></e:Envelope>`
    return (await requests.send({ path: '/sdk', what: name, soap: { body, action: 'urn:vim25/8.0' }, signal: call.signal })).text
  }
  await ask('Login', 'SessionManager', '<userName>root</userName><password>simulated</password>')
  const said: string[] = []
  for (const name of names)
    said.push(`${name}: ${/<faultstring>.*<(\w+)Fault /.exec(await ask(name, all[name]?.on ?? ''))?.[1] ?? 'no fault'}`)
  await agent.destroy()
  return said
}

describe('17: a host with the free licence', () => {
  const licences = [{ editionKey: 'esxBasic' }]

  it('refuses every call that writes', async () => {
    expect(writing).toContain('ImportVApp')
    await using host = await connected({ licences })
    expect(await answers(host, writing)).toEqual(writing.map((name: MethodName) => `${name}: RestrictedVersion`))
  })

  it('refuses no call that reads', async () => {
    await using host = await connected({ licences })
    expect((await answers(host, reading)).filter((one) => one.endsWith('RestrictedVersion'))).toEqual([])
  })

  it('which also has another licence, and a vCenter server, refuse nothing for it', async () => {
    for (const options of [{ licences: [...licences, {}] }, { licences, kind: 'vcenter' }] as const) {
      await using host = await connected(options)
      expect((await answers(host, writing)).filter((one) => one.endsWith('RestrictedVersion'))).toEqual([])
    }
  })
})
