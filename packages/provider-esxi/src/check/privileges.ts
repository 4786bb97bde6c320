import type { CallOptions, Check } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { decodeName } from '../inventory/object-name.ts'
import { retrieveOne, retrieveTypes } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { finding } from './findings.ts'
import { type Privilege, privilegesByUse } from './privilege-table.ts'

/** Objects in one question. */
const mostEntities = 100
const mostNames = 3

interface Lack {
  readonly privilege: Privilege
  readonly names: readonly string[]
  readonly of: number
}

interface Entity {
  readonly ref: MoRef
  readonly name: string
}

/** What is a special case of another kind. */
const kindsOfSpecial: { readonly [type: string]: Privilege['on'] } = {
  DistributedVirtualPortgroup: 'Network',
  OpaqueNetwork: 'Network',
  VirtualApp: 'ResourcePool',
}

/** All that privileges are held on, with one question, by its kind. */
async function entitiesOf(
  { session }: Connection,
  kinds: readonly Privilege['on'][],
  options: CallOptions,
): Promise<ReadonlyMap<string, readonly Entity[]>> {
  const entities = new Map<string, Entity[]>(kinds.map((kind) => [kind, []]))
  const wanted = Object.fromEntries(kinds.map((kind) => [kind, kind === 'Folder' ? ['name', 'childType'] : ['name']]))
  for await (const { ref, values } of retrieveTypes(session, wanted, options)) {
    // Folders of hosts, datastores and networks are others.
    if (ref.type === 'Folder' && !(Array.isArray(values.childType) && values.childType.includes('VirtualMachine'))) continue
    entities.get(kindsOfSpecial[ref.type] ?? ref.type)?.push({ ref, name: decodeName(String(values.name ?? ref.value)) })
  }
  return entities
}

/** The session as the host knows it: privileges are asked for by session. */
async function sessionKey({ session }: Connection, options: CallOptions): Promise<string | undefined> {
  const { sessionManager } = session.content
  if (sessionManager === undefined) return undefined
  const { values } = await retrieveOne(session, sessionManager, ['currentSession'], options)
  return (values.currentSession as Data<'UserSession'> | undefined)?.key
}

/** Which of these privileges the account lacks on which of the objects. */
async function lacks(
  { session }: Connection,
  asked: { readonly manager: MoRef<'AuthorizationManager'>; readonly sessionId: string },
  entities: readonly Entity[],
  privileges: readonly Privilege[],
  options: CallOptions,
): Promise<readonly Lack[]> {
  const lacking = new Map<string, string[]>(privileges.map(({ id }) => [id, []]))
  for (let at = 0; at < entities.length; at += mostEntities) {
    const page = entities.slice(at, at + mostEntities)
    const parameters = { entity: page.map(({ ref }) => ref), sessionId: asked.sessionId, privId: privileges.map(({ id }) => id) }
    for (const { entity, privAvailability } of await session.call('HasPrivilegeOnEntities', asked.manager, parameters, options)) {
      const name = page.find(({ ref }) => ref.value === entity.value)?.name ?? entity.value
      for (const { privId, isGranted } of privAvailability) if (!isGranted) lacking.get(privId)?.push(name)
    }
  }
  return privileges.flatMap((one) => {
    const names = lacking.get(one.id) ?? []
    return names.length === 0 ? [] : [{ privilege: one, names, of: entities.length }]
  })
}

function inWords({ privilege: { id, need }, names, of }: Lack): string {
  const where = names.length === of ? 'everywhere' : `on ${names.length} of ${of}: ${names.slice(0, mostNames).join(', ')}`
  return `${id}, which is needed to ${need} (${where})`
}

/** What nobody gets without asking for it is no reason to warn. */
const experimental = new Set(['changed-areas'])

function ofUse(use: string, missing: readonly Lack[], count: number): Check {
  const name = `privileges-${use}`
  if (missing.length === 0)
    return finding('ok', name, `The account has ${count === 1 ? 'the privilege' : `the ${count} privileges`} that it needs for: ${use}.`)
  const only = experimental.has(use) ? ` Nothing but ${use} needs that.` : ''
  return finding(
    use === 'backup' ? 'error' : experimental.has(use) ? 'ok' : 'warning',
    name,
    `The account lacks ${missing.map(inWords).join('; ')}.${only}`,
    missing.map((one) => ({ privilege: one.privilege.id, need: one.privilege.need, lacking: one.names.length, of: one.of })),
  )
}

/** A finding for each use: which privileges the account lacks for it, and where. */
export async function checkPrivileges(connection: Connection, options: CallOptions): Promise<readonly Check[]> {
  const { authorizationManager: manager } = connection.session.content
  const sessionId = await sessionKey(connection, options)
  if (manager === undefined || sessionId === undefined)
    return [finding('warning', 'privileges-backup', 'The host does not tell which privileges the account has.')]
  const all = Object.values(privilegesByUse).flat()
  const missing: Lack[] = []
  for (const [kind, entities] of await entitiesOf(connection, [...new Set(all.map(({ on }) => on))], options)) {
    const wanted = all.filter(({ on }) => on === kind)
    missing.push(...(await lacks(connection, { manager, sessionId }, entities, wanted, options)))
  }
  return Object.entries(privilegesByUse).map(([use, wanted]) =>
    ofUse(
      use,
      missing.filter((one) => wanted.includes(one.privilege)),
      wanted.length,
    ),
  )
}
