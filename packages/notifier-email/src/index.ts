export { emailNotifier } from './email-notifier.ts'
export type { EmailNotifierOptions } from './email-options.ts'
