import { type CallOptions, type Clock, HoldfastError, invalidOptions, type Json, systemClock, unknownKeys } from '@holdfast/core/spec'
import { checkHost } from '../check/check-host.ts'
import { readClockSkew } from '../check/clock-skew.ts'
import { readLicences } from '../check/licence.ts'
import { shareConnection } from '../connection.ts'
import { type HostOptions, parseHostOptions } from '../host-options.ts'
import { type ChangedAreasReport, probeChangedAreas } from './changed-areas-probe.ts'
import { askForRange, type FolderAnswer } from './folder-range.ts'
import { type Knowledge, knownMethods } from './known-methods.ts'
import { type Survey, survey } from './survey.ts'
import { type TrialExport, trialExport } from './trial-export.ts'
import { type TrialImport, type TrialPlaces, trialImport } from './trial-import.ts'

/** What to look at beyond reading. */
export interface ExamineOptions extends CallOptions {
  /** Put the names of machines into the report. Default false. */
  readonly names?: boolean
  /** Id of a machine whose export is opened and given up: it costs a snapshot when the machine is not off. Default: nothing is touched. */
  readonly trial?: string
  /**
   * Options of a restore. With them a machine of 16 MiB is imported as a restore of a chain does it, exported again, compared and removed; it is never switched on. Default: nothing
   * is made.
   */
  readonly trialImport?: TrialPlaces
  /** Default: that of the system. */
  readonly clock?: Clock
}

/** Why a trial came to nothing. */
export interface FailedTrial {
  /** Hidden unless names were asked for: it may hold some. */
  readonly error: string
  readonly code: string
  /** The fault that the host gave. */
  readonly details: Json
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
  /** Whether increments by changed areas may work, as far as it can be told by reading. */
  readonly changedAreas: ChangedAreasReport
  /** How each finding of the health check came out; those of datastores and hosts are numbered unless names were asked for. */
  readonly checks: { readonly [name: string]: string }
  readonly trial?: TrialExport | FailedTrial
  readonly trialImport?: TrialImport | FailedTrial
}

function withoutNames(checks: readonly { readonly name: string; readonly status: string }[], names: boolean): HostReport['checks'] {
  const seen = new Map<string, number>()
  const hidden = (name: string) => {
    const [, kind] = /^(datastore|host) /.exec(name) ?? []
    if (names || kind === undefined) return name
    const number = (seen.get(kind) ?? 0) + 1
    seen.set(kind, number)
    return `${kind} ${number}`
  }
  return Object.fromEntries(checks.map(({ name, status }) => [hidden(name), status]))
}

/** Mistakes of who asks, which are no findings of the host. */
const mistaken: readonly string[] = ['INVALID_OPTIONS', 'NOT_FOUND']

/** A message would name machines and places. */
async function tried<Result>(trial: Promise<Result>, { signal, names = false }: ExamineOptions): Promise<Result | FailedTrial> {
  try {
    return await trial
  } catch (error) {
    if (signal.aborted || !HoldfastError.isInstance(error) || mistaken.includes(error.code)) throw error
    const { code, message, details } = error
    const fault = typeof details === 'object' && details !== null && 'fault' in details ? (details.fault ?? null) : null
    return { code, error: names ? message : 'hidden, since it may name things: ask with names: true', details: { fault } }
  }
}

/**
 * Examines a host, for a report that users send when something could not be proven without their kind of host. Reads only, unless a trial is asked for.
 * @throws UNREACHABLE, ACCESS_DENIED, UNSUPPORTED, PROVIDER_FAILED: nobody can log in. INVALID_OPTIONS, NOT_FOUND: also of a trial, by what it names. An aborted signal rejects with its reason.
 */
export async function examineHost(options: HostOptions, examine: ExamineOptions): Promise<HostReport> {
  const mistakes = unknownKeys(examine, ['signal', 'names', 'trial', 'trialImport', 'clock'])
  if (mistakes.length > 0) throw invalidOptions('examineHost options', mistakes)
  const { signal, names = false, trial, trialImport: places, clock = systemClock } = examine
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
      changedAreas: await probeChangedAreas(connection, { signal }),
      checks: withoutNames(await checkHost(shared, settings, { signal }), names),
      ...(trial !== undefined && { trial: await tried(trialExport(connection, trial, { signal }), examine) }),
      ...(places !== undefined && { trialImport: await tried(trialImport(connection, places, { signal }), examine) }),
    }
  } finally {
    await shared[Symbol.asyncDispose]()
  }
}
