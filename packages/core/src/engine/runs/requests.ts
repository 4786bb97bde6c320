import { workloadKey } from '../../model/names.ts'
import type { Plan, VerificationPlan } from '../../model/plan.ts'
import { parseRunInput, type RunInput } from '../../model/run-input.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { Resource, RunRequest } from '../../spec/store.ts'
import { type EngineParts, providerNamed, repositoryNamed } from '../parts.ts'

const exclusive = { units: 1, capacity: 1 }

/** Parses what a run is to do, against what this engine has: a mistake is told now and not when the run starts. */
export function resolveInput(parts: EngineParts, raw: unknown): RunInput {
  const input = parseRunInput(raw)
  if (input.operation === 'backup') {
    repositoryNamed(parts, input.repository)
    const options = parseOptions(parts, input.workload.provider, 'backup', input.options)
    return { ...input, options }
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
  repositoryNamed(parts, plan.repository)
  const providers = new Set((plan.workloads ?? []).map((workload) => workload.provider))
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
  const workload = input.operation === 'backup' || input.operation === 'restore' ? workloadKey(input.workload) : undefined
  const repository = input.repository ?? ''
  return {
    key,
    operation: input.operation,
    ...(input.operation === 'backup' && input.plan !== undefined && { planId: input.plan }),
    ...(workload !== undefined && { workload }),
    delay: 0,
    priority: 0,
    maxFailures: parts.retry.maxFailures,
    needs: needsOf(input, repository),
    resources: [...resourcesOf(input, repository), ...limitsOf(parts, input, repository)],
    input: input as unknown as Json,
  }
}

function needsOf(input: RunInput, repository: string): readonly string[] {
  if (input.operation === 'backup') return [`provider:${input.workload.provider}`, `repository:${repository}`]
  if (input.operation === 'restore') return [`provider:${input.provider ?? input.workload.provider}`, `repository:${repository}`]
  if (input.operation === 'copy') return [`repository:${input.from}`, `repository:${repository}`]
  return [`repository:${repository}`]
}

function resourcesOf(input: RunInput, repository: string): readonly Resource[] {
  if (input.operation === 'backup') return [{ name: `workload:${workloadKey(input.workload)}`, ...exclusive }]
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
  const provider =
    input.operation === 'backup'
      ? input.workload.provider
      : input.operation === 'restore'
        ? (input.provider ?? input.workload.provider)
        : undefined
  const limit = (name: string, capacity: number | undefined): readonly Resource[] =>
    capacity === undefined ? [] : [{ name, units: 1, capacity }]
  return [
    ...(provider === undefined ? [] : limit(`provider:${provider}`, parts.limits.providers[provider])),
    ...limit(`repository:${repository}`, parts.limits.repositories[repository]),
  ]
}
