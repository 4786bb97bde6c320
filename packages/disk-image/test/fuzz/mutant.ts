import { randomFrom } from '../support.ts'
import { type CorpusFormat, type CorpusName, corpus, readCorpus } from './corpus.ts'
import { type Anatomy, anatomyOf } from './fields.ts'
import { mutate } from './mutate.ts'

/** One image that its seed decides; its bytes are lent until the next one is made. */
export interface Mutant {
  readonly name: CorpusName
  readonly format: CorpusFormat
  readonly file: Buffer
}

/** Makes mutants of the images in a folder; one seed after the other takes the next image. */
export async function mutantsOf(folder: string): Promise<(seed: number) => Mutant> {
  const files = await readCorpus(folder)
  const anatomies = files.map((file, index): Anatomy => anatomyOf((corpus[index] as (typeof corpus)[number]).format, file))
  const workspace = new ArrayBuffer(Math.max(...files.map((file) => file.length)) + 1024 * 1024)
  return (seed) => {
    const index = seed % corpus.length
    const { name, format } = corpus[index] as (typeof corpus)[number]
    return { name, format, file: mutate(files[index] as Buffer, workspace, anatomies[index] as Anatomy, randomFrom(seed)) }
  }
}
