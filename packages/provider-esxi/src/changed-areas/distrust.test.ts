import { expect, it } from 'vitest'
import { exportHost } from '../../test/support/export-host.ts'
import type { Connection } from '../connection.ts'
import type { FlatDisk } from '../flat/flat-disks.ts'
import { findMachine } from '../inventory/find-machine.ts'
import type { Session } from '../vim25/session.ts'
import { whyDistrusted } from './distrust.ts'

const uuid = '564d0000-0000-0000-0000-000000000001'
const never = { signal: new AbortController().signal }
const disk = { name: 'Hard disk 1', changeId: '52 aa/1' } as FlatDisk

/** A connection of an account that may not read the settings of machines. */
function withoutSettings(connection: Connection): Connection {
  const call: Session['call'] = async (method, self, parameters, options) => {
    const answer = await connection.session.call(method, self, parameters, options)
    if (!JSON.stringify(parameters).includes('config.extraConfig')) return answer
    const { objects } = answer as unknown as { objects: readonly object[] }
    const fault = { fault: { $type: 'NoPermission' }, localizedMessage: 'no' }
    const blind = objects.map((one) => ({ ...one, propSet: [], missingSet: [{ path: 'config.extraConfig', fault }] }))
    return { objects: blind } as unknown as typeof answer
  }
  return { ...connection, session: { ...connection.session, call } }
}

it('28: settings that cannot be read are not taken for settings that speak of no lie', async () => {
  await using host = await exportHost({ machines: [{ name: 'web', uuid }] })
  const machine = await findMachine(host.connection, uuid, never)
  expect(await whyDistrusted(host.connection, machine, [disk], never)).toBeUndefined()
  expect(await whyDistrusted(withoutSettings(host.connection), machine, [disk], never)).toMatch(/may not read the settings/)
})
