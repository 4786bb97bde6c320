import { workloadKey } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { parseRunInput, type RunInput } from '../model/run-input.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Json } from '../spec/json.ts'
import type { Resource, RunRequest } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { type EngineParts, providerNamed, repositoryNamed } from './parts.ts'

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

function parseOptions(parts: EngineParts, provider: string, use: 'backup' | 'restore' | 'probe', input: unknown): Json {
  const { parseOptions } = providerNamed(parts, provider)
  return parseOptions ? parseOptions(use, input) : (input as Json)
}

function onlyRepository(parts: EngineParts): string {
  const names = [...parts.repositories.keys()]
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new HoldfastError('INVALID_OPTIONS', `There are ${names.length} repositories (${names.join(', ')}), so repository must be named.`)
}

/** The options of a plan go through each provider that the plan names. */
export function resolvePlan(parts: EngineParts, plan: Plan): Plan {
  repositoryNamed(parts, plan.repository)
  let options = plan.options
  for (const provider of new Set(plan.workloads.map((workload) => workload.provider)))
    options = parseOptions(parts, provider, 'backup', plan.options)
  return { ...plan, options }
}

export function planInput(planId: string, plan: Plan, workload: WorkloadRef): RunInput {
  return { operation: 'backup', plan: planId, repository: plan.repository, workload, options: plan.options, compression: plan.compression }
}

/** The row of a run. Resources are traffic control only: no data is safe because of them. */
export function runRequest(parts: EngineParts, key: string, input: RunInput): RunRequest {
  const workload =
    'workload' in input && input.workload !== undefined && input.operation !== 'verify' ? workloadKey(input.workload) : undefined
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
    resources: resourcesOf(input, repository),
    input: input as unknown as Json,
  }
}

function needsOf(input: RunInput, repository: string): readonly string[] {
  if (input.operation === 'backup') return [`provider:${input.workload.provider}`, `repository:${repository}`]
  if (input.operation === 'restore') return [`provider:${input.provider ?? input.workload.provider}`, `repository:${repository}`]
  return [`repository:${repository}`]
}

function resourcesOf(input: RunInput, repository: string): readonly Resource[] {
  if (input.operation === 'backup') return [{ name: `workload:${workloadKey(input.workload)}`, ...exclusive }]
  if (input.operation === 'restore')
    return [{ name: `target:${input.provider ?? ''}/${input.target ?? input.name ?? input.workload.id}`, ...exclusive }]
  if (input.operation === 'prune' || input.operation === 'rescan') return [{ name: `maintenance:${repository}`, ...exclusive }]
  return []
}
