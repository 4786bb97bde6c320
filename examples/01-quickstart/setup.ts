import { join } from 'node:path'
import { createEngine, type Engine, localRepository } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'
import { diskFile } from './disk-file.ts'
import { dockerVolume } from './docker-volume.ts'
import type { Subject } from './subject.ts'

/** All that a second process must know to work on the same things. JSON. */
export interface QuickstartSetup {
  /** Of this run of the quickstart alone: part of every name and label. */
  readonly unique: string
  /** Everything that is not on the Docker engine lies below it. */
  readonly folder: string
  /** Absent: no Docker engine, a disk image is protected instead. */
  readonly socketPath?: string
}

export function subjectOf({ unique, folder, socketPath }: QuickstartSetup): Subject {
  return socketPath === undefined ? diskFile({ folder }) : dockerVolume({ unique, folder, socketPath })
}

export const catalogFile = ({ folder }: QuickstartSetup) => join(folder, 'catalog.db')
export const backupFolder = ({ folder }: QuickstartSetup) => join(folder, 'backups')

/** A new engine on the same catalog and repository, as after a restart of the process. */
export function openEngine(setup: QuickstartSetup, subject: Subject, limit: { readonly bytesPerSecond?: number } = {}): Promise<Engine> {
  return createEngine({
    name: 'quickstart',
    system: `quickstart-${setup.unique}`,
    store: sqlite({ file: catalogFile(setup) }),
    repositories: { main: localRepository({ folder: backupFolder(setup) }) },
    providers: { [subject.providerName]: subject.newProvider() },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: subject.providerName, id: subject.id }] } },
    // Short, so that nobody waits long for the lease of the process that was killed.
    leaseMs: 3000,
    retry: { delayMs: 100 },
    ...limit,
  })
}
