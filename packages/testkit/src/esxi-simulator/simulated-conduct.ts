import type { SimulatedWorld } from './simulated-world.ts'
import { element, field, type TypedValues, type XmlValue } from './soap-answer.ts'

/** A question that a machine waits with for an answer. */
export interface SimulatedQuestion {
  readonly id: string
  /** `msg.uuid.altered`. */
  readonly message: string
  readonly text: string
  readonly choices: readonly { readonly key: string; readonly label: string; readonly summary: string }[]
}

/** What a machine is like apart from its hardware, and how it takes what is done to it. A test may change all of it. */
export interface SimulatedConduct {
  annotation: string
  /** Counts changes of its settings. */
  changes: number
  /** The tools run in its guest while it is on. */
  toolsRunning: boolean
  /** Milliseconds that its guest takes to shut down; undefined: it never does. */
  shutdownMs: number | undefined
  /** What it waits for an answer to. */
  question: SimulatedQuestion | undefined
  /** What it will ask when it is switched on the next time. */
  asksAtPowerOn: SimulatedQuestion | undefined
  /** Keys of the answers it was given. */
  readonly answers: string[]
  /** Its disks have files that belong to no snapshot any more. */
  consolidationNeeded: boolean
  /** The next removal of a snapshot leaves such files. */
  removalLeavesFiles: boolean
  /** So many consolidations find a disk locked. */
  lockedTimes: number
  /** The guest does not flush when it is asked to. */
  quiesceFails: boolean
  /** Snapshots are made when this resolves. */
  snapshotGate: Promise<void> | undefined
  /** Its host starts it by itself. */
  autoStart: boolean
  /** It goes on by itself although it was switched off: somebody else starts it at once. */
  startsAgain: boolean
  /** A change of its settings is taken, and has no effect. */
  ignoresChanges: boolean
  /** Another instance UUID is taken, and has no effect. */
  keepsInstanceUuid: boolean
}

/** As hosts ask after the files of a machine were moved or copied: what the answer `2` means is in its label. */
export const movedOrCopied: SimulatedQuestion = {
  id: '7',
  message: 'msg.uuid.altered',
  text: 'This virtual machine might have been moved or copied. In order to configure certain management and networking features, VMware ESX needs to know if this virtual machine was moved or copied. If you don\'t know, answer "I copied it".',
  choices: [
    { key: '0', label: 'button.uuid.cancel', summary: 'Cancel' },
    { key: '1', label: 'button.uuid.movedTheVM', summary: 'I _moved it' },
    { key: '2', label: 'button.uuid.copiedTheVM', summary: 'I _copied it' },
  ],
}

export const createConduct = (given: Partial<SimulatedConduct> = {}): SimulatedConduct => ({
  annotation: '',
  changes: 0,
  toolsRunning: true,
  shutdownMs: 0,
  question: undefined,
  asksAtPowerOn: undefined,
  answers: [],
  consolidationNeeded: false,
  removalLeavesFiles: false,
  lockedTimes: 0,
  quiesceFails: false,
  snapshotGate: undefined,
  autoStart: false,
  startsAgain: false,
  ignoresChanges: false,
  keepsInstanceUuid: false,
  ...given,
})

function questionInfo({ id, message, text, choices }: SimulatedQuestion, values: TypedValues): XmlValue {
  const choice = choices
    .map(({ key, label, summary }) => `<choiceInfo>${field('label', label)}${field('summary', summary)}${field('key', key)}</choiceInfo>`)
    .join('')
  const told = `${field('id', id)}${field('text', `${message}:${text}`)}`
  return values.data(
    'VirtualMachineQuestionInfo',
    `${told}${element('choice', { attributes: '', content: choice })}<message>${field('id', message)}${field('text', text)}</message>`,
  )
}

/** Tasks of an object, whether they have ended or not. */
const tasksOf = (world: SimulatedWorld, value: string): readonly string[] =>
  world
    .objects()
    .filter((object) => object.type === 'Task' && 'entity' in object && object.entity === value)
    .map((object) => object.value)

/** Tells one state of the settings from any other. */
export const versionOf = ({ changes }: SimulatedConduct): string => `version-${changes}`

/** The properties that show the conduct of a machine. */
export function conductProperties(world: SimulatedWorld, machine: string, conduct: SimulatedConduct, on: boolean, values: TypedValues) {
  const { annotation, toolsRunning, question, consolidationNeeded } = conduct
  return {
    'config.annotation': values.text(annotation),
    'config.changeVersion': values.text(versionOf(conduct)),
    'guest.toolsRunningStatus': values.text(toolsRunning && on ? 'guestToolsRunning' : 'guestToolsNotRunning'),
    'runtime.consolidationNeeded': values.truth(consolidationNeeded),
    'runtime.question': question === undefined ? undefined : questionInfo(question, values),
    recentTask: values.references('Task', tasksOf(world, machine)),
  }
}
