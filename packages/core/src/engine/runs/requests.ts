import { workloadKey } from '../../model/names.ts'
import type { Plan, VerificationPlan } from '../../model/plan.ts'
import { type PruneSnapshotsInput, parseRunInput, type RunInput, type SnapshotInput } from '../../model/run-input.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { Resource, RunRequest } from '../../spec/store.ts'
import { type EngineParts, providerNamed, repositoryNamed } from '../parts.ts'
import { snapshotAbility } from '../snapshots/snapshot-ability.ts'

const exclusive = { units: 1, capacity: 1 }

/** Parses what a run is to do, against what this engine has: a mistake is told now and not when the run starts. */
export function resolveInput(parts: EngineParts, raw: unknown): RunInput {
  const input = parseRunInput(raw)
  if (input.operation === 'backup') {
    repositoryNamed(parts, input.repository)
    const options = parseOptions(parts, input.workload.provider, 'backup', input.options)
    return { ...input, options }
  }
  if (isOfSnapshots(input)) {
    snapshotAbility(parts, input.workload.provider)
    return input
  }
  if (input.operation !== 'restore') {
    repositoryNamed(parts, input.repository)
    if (input.operation === 'copy') repositoryNamed(parts, input.from)
    return input
  }
  const provider = input.provider ?? input.workload.provider
  const repository = input.repository ?? onlyRepository(parts)
  repositoryNamed(parts, repository)
  const probe = input.probe === undefined ? undefined : parseOptions(parts, provider, 'probe', input.probe)
  return {
    ...input,
    repository,
    provider,
    options: parseOptions(parts, provider, 'restore', input.options),
    ...(probe !== undefined && { probe }),
  }
}

/** As the provider understands them. A mistake is told with its path, INVALID_OPTIONS. */
export function parseOptions(parts: EngineParts, provider: string, use: 'backup' | 'restore' | 'probe', input: unknown): Json {
  const { parseOptions } = providerNamed(parts, provider)
  return parseOptions ? parseOptions(use, input) : (input as Json)
}

function onlyRepository(parts: EngineParts): string {
  const names = [...parts.repositories.keys()]
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new HoldfastError('INVALID_OPTIONS', `There are ${names.length} repositories (${names.join(', ')}), so repository must be named.`)
}

/** What a plan names must exist in this engine, and its options go through each provider that it names. */
export function resolvePlan(parts: EngineParts, plan: Plan): Plan {
  if (plan.kind === 'maintenance') {
    for (const name of plan.repositories ?? []) repositoryNamed(parts, name)
    return plan
  }
  const providers = new Set((plan.workloads ?? []).map((workload) => workload.provider))
  if (plan.kind === 'snapshot') {
    for (const name of providers) snapshotAbility(parts, name)
    return plan
  }
  repositoryNamed(parts, plan.repository)
  for (const name of providers) providerNamed(parts, name)
  if (plan.kind === 'verification') return resolveVerification(parts, plan)
  for (const { repository } of plan.copy ?? []) repositoryNamed(parts, repository)
  const parsed = [...providers].map((provider) => parseOptions(parts, provider, 'backup', plan.options))
  return { ...plan, options: onlyOr(parsed, plan.options) }
}

/** Options of a test restore are parsed by the provider that it goes to; without one named, by each that a workload may come from. */
function resolveVerification(parts: EngineParts, plan: VerificationPlan): Plan {
  if (plan.mode !== 'restore') return plan
  const { provider, probe } = plan.restore
  const named = provider === undefined ? (plan.workloads ?? []).map((workload) => workload.provider) : [provider]
  const names = [...new Set(named)]
  const options = onlyOr(
    names.map((name) => parseOptions(parts, name, 'restore', plan.restore.options)),
    plan.restore.options,
  )
  if (probe === undefined) return { ...plan, restore: { ...plan.restore, options } }
  const probes = names.map((name) => parseOptions(parts, name, 'probe', probe))
  return { ...plan, restore: { ...plan.restore, options, probe: onlyOr(probes, probe) } }
}

/** What several providers understand, each in its own way, is kept as it was given: each run has it parsed by its own provider. */
function onlyOr(parsed: readonly Json[], given: Json): Json {
  const [only] = parsed
  return parsed.length === 1 && only !== undefined ? only : given
}

/** The row of a run. Resources are traffic control only: no data is safe because of them. */
export function runRequest(parts: EngineParts, key: string, input: RunInput): RunRequest {
  // Only who works on a workload takes part in its order: undo what is left of the last one first.
  const workload = worksOnWorkload(input) ? workloadKey(input.workload) : undefined
  const repository = ('repository' in input ? input.repository : undefined) ?? ''
  return {
    key,
    operation: input.operation,
    ...('plan' in input && input.plan !== undefined && { planId: input.plan }),
    ...(workload !== undefined && { workload }),
    delay: 0,
    priority: 0,
    maxFailures: parts.retry.maxFailures,
    needs: needsOf(input, repository),
    resources: [...resourcesOf(input, repository), ...limitsOf(parts, input, repository)],
    input: input as unknown as Json,
  }
}

type OnWorkload = Extract<RunInput, { readonly operation: 'backup' | 'restore' | 'snapshot' | 'prune-snapshots' }>

function worksOnWorkload(input: RunInput): input is OnWorkload {
  return input.operation === 'backup' || input.operation === 'restore' || isOfSnapshots(input)
}

function isOfSnapshots(input: RunInput): input is SnapshotInput | PruneSnapshotsInput {
  return input.operation === 'snapshot' || input.operation === 'prune-snapshots'
}

/** Where the work is done on a platform: a restore may go to another one. */
function providerOf(input: OnWorkload): string {
  return (input.operation === 'restore' ? input.provider : undefined) ?? input.workload.provider
}

function needsOf(input: RunInput, repository: string): readonly string[] {
  if (isOfSnapshots(input)) return [`provider:${input.workload.provider}`]
  if (worksOnWorkload(input)) return [`provider:${providerOf(input)}`, `repository:${repository}`]
  if (input.operation === 'copy') return [`repository:${input.from}`, `repository:${repository}`]
  return [`repository:${repository}`]
}

function resourcesOf(input: RunInput, repository: string): readonly Resource[] {
  if (input.operation === 'backup' || isOfSnapshots(input)) return [{ name: `workload:${workloadKey(input.workload)}`, ...exclusive }]
  if (input.operation === 'restore')
    return [{ name: `target:${input.provider ?? ''}/${input.target ?? input.name ?? input.workload.id}`, ...exclusive }]
  if (input.operation === 'prune' || input.operation === 'rescan' || input.operation === 'sweep')
    return [{ name: `maintenance:${repository}`, ...exclusive }]
  // Two of one workload would copy the same point.
  if (input.operation === 'copy') return [{ name: `copy:${repository}/${workloadKey(input.workload)}`, ...exclusive }]
  // One after the other: each writes as much as a disk holds.
  if (input.operation === 'merge') return [{ name: `merge:${repository}`, ...exclusive }]
  return []
}

/** The limits that the application has set for all nodes together. */
function limitsOf(parts: EngineParts, input: RunInput, repository: string): readonly Resource[] {
  const provider = worksOnWorkload(input) ? providerOf(input) : undefined
  const limit = (name: string, capacity: number | undefined): readonly Resource[] =>
    capacity === undefined ? [] : [{ name, units: 1, capacity }]
  return [
    ...(provider === undefined ? [] : limit(`provider:${provider}`, parts.limits.providers[provider])),
    ...limit(`repository:${repository}`, parts.limits.repositories[repository]),
  ]
}
