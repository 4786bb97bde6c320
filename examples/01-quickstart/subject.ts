import type { Provider } from '@holdfast/core/spec'

/** What the quickstart protects: a volume of a Docker engine, or a disk image where there is none. */
export interface Subject {
  /** For people: `Docker volume shop-db-1a2b`. */
  readonly title: string
  /** Name under which the engine knows the provider. */
  readonly providerName: string
  /** Id of the workload. */
  readonly id: string
  /** Bytes that a backup has read when it is in the middle of storing them. */
  readonly killAfterBytes: number
  /** What a backup has done when its progress says this many bytes: ends a sentence that begins with `has`. */
  done(bytes: number): string
  /** Ending of the files that `saveTo` makes. */
  readonly copyName: 'tar' | 'img'
  /** The provider belongs to one engine, which disposes it: each engine gets a new one. */
  newProvider(): Provider
  /** Makes it, with sample content. Answers what is in it now. */
  create(): Promise<string>
  /** Changes some of the content, otherwise on each day. Answers what was changed. */
  change(day: number): Promise<string>
  /** Saves all of it into a file that another program can compare. */
  saveTo(file: string): Promise<void>
  /** Flips one bit of one byte in it. Answers where. */
  damage(): Promise<string>
  /** Removes it, as a mishap would. */
  lose(): Promise<void>
  /** What is there now that this quickstart or Holdfast has made for it. */
  listing(): Promise<readonly Listed[]>
  /** Removes all of that. */
  cleanUp(): Promise<void>
}

/** Things of one kind. */
export interface Listed {
  /** `volume` */
  readonly kind: string
  readonly names: readonly string[]
}

/** What a subject is made of. */
export interface SubjectOptions {
  /** Of this run of the quickstart alone: part of every name and label. */
  readonly unique: string
  /** Scratch space. */
  readonly folder: string
}
