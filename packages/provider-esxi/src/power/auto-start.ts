import type { CallOptions } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import type { SwitchedMachine } from './power-state.ts'

type Manager = MoRef<'HostAutoStartManager'>

/** What starts machines on the host of this one. Undefined: the host does not say. */
async function managerOf({ session }: Connection, { host }: SwitchedMachine, options: CallOptions): Promise<Manager | undefined> {
  if (host === undefined) return undefined
  const path = 'configManager.autoStartManager'
  return (await retrieveOne(session, host, [path], options)).values[path] as Manager | undefined
}

async function isListed(
  { session }: Connection,
  manager: Manager,
  { ref }: SwitchedMachine,
  options: CallOptions,
): Promise<boolean | undefined> {
  const config = (await retrieveOne(session, manager, ['config'], options)).values.config as Data<'HostAutoStartManagerConfig'> | undefined
  return config?.powerInfo?.some(({ key, startAction }) => key.value === ref.value && startAction.toLowerCase() !== 'none')
}

/** Whether the host starts a machine by itself when it starts. Undefined: nobody can tell. */
export async function startsByItself(connection: Connection, machine: SwitchedMachine, options: CallOptions): Promise<boolean | undefined> {
  const manager = await managerOf(connection, machine, options)
  return manager === undefined ? undefined : isListed(connection, manager, machine, options)
}

/**
 * Takes a machine out of what its host starts by itself. Idempotent.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.host.AutoStartManager.AutoPowerInfo.html: with the start action `none` the order
 * must be -1, and -1 stands for the default elsewhere, too.
 */
export async function neverStartByItself(connection: Connection, machine: SwitchedMachine, options: CallOptions): Promise<void> {
  const manager = await managerOf(connection, machine, options)
  if (manager === undefined || (await isListed(connection, manager, machine, options)) === false) return
  const spec: Data<'HostAutoStartManagerConfig'> = {
    powerInfo: [
      {
        key: machine.ref,
        startOrder: -1,
        startDelay: -1,
        waitForHeartbeat: 'systemDefault',
        startAction: 'none',
        stopDelay: -1,
        stopAction: 'systemDefault',
      },
    ],
  }
  await connection.session.call('ReconfigureAutostart', manager, { spec }, { ...options, name: machine.name })
}
