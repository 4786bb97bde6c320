import { type CallOptions, type Clock, HoldfastError, type Json, systemClock } from '@holdfast/core/spec'
import { checkHost } from '../check/check-host.ts'
import { readClockSkew } from '../check/clock-skew.ts'
import { readLicences } from '../check/licence.ts'
import { type Connection, shareConnection } from '../connection.ts'
import { type HostOptions, parseHostOptions } from '../host-options.ts'
import { askForRange, type FolderAnswer } from './folder-range.ts'
import { type Knowledge, knownMethods } from './known-methods.ts'
import { type Survey, survey } from './survey.ts'
import { type TrialExport, trialExport } from './trial-export.ts'

/** What to look at beyond reading. */
export interface ExamineOptions extends CallOptions {
  /** Put the names of machines into the report. Default false. */
  readonly names?: boolean
  /** Id of a machine whose export is opened and given up: it costs a snapshot when the machine is not off. Default: nothing is touched. */
  readonly trial?: string
  /** Default: that of the system. */
  readonly clock?: Clock
}

/** What one host can do, for people who cannot reach it. JSON, without secrets, addresses and keys of licences; names only when they were asked for. */
export interface HostReport {
  /** Version of this report. */
  readonly v: 1
  /** ISO 8601 UTC, by the clock here. */
  readonly at: string
  readonly host: {
    readonly kind: string
    readonly product: string
    readonly version: string
    readonly build: string
    readonly apiVersion: string
    /** The version that was agreed on. */
    readonly spoken: string
  }
  readonly licences: readonly { readonly edition: string; readonly name: string; readonly properties: readonly string[] }[]
  readonly clockSkewMs: number
  readonly survey: Survey
  /** Calls that not every host has. */
  readonly methods: { readonly [method: string]: Knowledge }
  /** Whether files of datastores can be read in parts; absent: there is no machine to ask for. */
  readonly folder?: FolderAnswer
  /** How each finding of the health check came out; those of datastores and hosts are numbered unless names were asked for. */
  readonly checks: { readonly [name: string]: string }
  readonly trial?: TrialExport | { readonly error: string; readonly code: string; readonly details: Json }
}

function withoutNames(checks: readonly { readonly name: string; readonly status: string }[], names: boolean): HostReport['checks'] {
  const hidden = (name: string, index: number) => (names ? name : name.replace(/^(datastore|host) .*$/s, `$1 ${index + 1}`))
  return Object.fromEntries(checks.map(({ name, status }, index) => [hidden(name, index), status]))
}

/** Its message would name the machine. */
async function tryExport(connection: Connection, id: string, { signal, names = false }: ExamineOptions): Promise<HostReport['trial']> {
  try {
    return await trialExport(connection, id, { signal })
  } catch (error) {
    if (signal.aborted || !HoldfastError.isInstance(error)) throw error
    const { code, message, details } = error
    const fault = typeof details === 'object' && details !== null && 'fault' in details ? (details.fault ?? null) : null
    return { code, error: names ? message : 'hidden with the names', details: { fault } }
  }
}

/**
 * Examines a host, for a report that users send when something could not be proven without their kind of host. Reads only, unless `trial` names a machine.
 * @throws UNREACHABLE, ACCESS_DENIED, UNSUPPORTED, PROVIDER_FAILED: nobody can log in. INVALID_OPTIONS. An aborted signal rejects with its reason.
 */
export async function examineHost(options: HostOptions, examine: ExamineOptions): Promise<HostReport> {
  const { signal, names = false, trial, clock = systemClock } = examine
  const settings = parseHostOptions(options)
  const shared = shareConnection(settings, clock)
  try {
    const connection = await shared.open({ signal })
    const { about } = connection.session.content
    const licences = (await readLicences(connection, { signal }))?.licences ?? []
    const { counted, sample } = await survey(connection, { signal, names })
    return {
      v: 1,
      at: new Date(clock.now()).toISOString(),
      host: {
        kind: about.apiType,
        product: about.fullName,
        version: about.version,
        build: about.build,
        apiVersion: about.apiVersion,
        spoken: await connection.session.client.version({ signal }),
      },
      licences: licences.map(({ editionKey, name, properties }) => ({
        edition: editionKey,
        name,
        properties: properties.map(({ key }) => key),
      })),
      clockSkewMs: Math.round(await readClockSkew(connection, { signal })),
      survey: counted,
      methods: await knownMethods(connection, { signal }),
      ...(sample !== undefined && { folder: await askForRange(connection, sample.file, sample.folder, { signal }) }),
      checks: withoutNames(await checkHost(shared, settings, { signal }), names),
      ...(trial !== undefined && { trial: (await tryExport(connection, trial, examine)) as NonNullable<HostReport['trial']> }),
    }
  } finally {
    await shared[Symbol.asyncDispose]()
  }
}
