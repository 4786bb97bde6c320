import { formatDuration, HoldfastError, type Notification, oneLine } from '@holdfast/core/spec'
import type { NodemailerError } from 'nodemailer'
import type { EmailSettings } from './email-options.ts'

interface Failure {
  readonly what: string
  readonly retryable: boolean
  readonly remedy?: string
}

const longestAnswer = 200
const loginCodes = ['EAUTH', 'ENOAUTH', 'EOAUTH2']
/** Of certificates, as OpenSSL and Node name them. */
const certificateCode = /CERT|SELF_SIGNED|ISSUER|VERIFY|ALTNAME|CHAIN/

/** What nodemailer throws may hold commands, and so the login: only codes, and what the server has answered, are told. */
export function emailFailure(settings: EmailSettings, { id }: Notification, error: unknown): HoldfastError {
  const { what, retryable, remedy } = failureOf(settings, error)
  const { host, port } = settings
  return new HoldfastError('NOTIFIER_FAILED', `The mail server ${host}:${port} ${what}; notification ${id} was not taken.`, {
    retryable,
    ...(remedy !== undefined && { remedy }),
    details: { host, port },
  })
}

function failureOf(settings: EmailSettings, error: unknown): Failure {
  if (HoldfastError.isInstance(error)) return { what: `did not finish within ${formatDuration(settings.timeoutMs)}`, retryable: true }
  if (!(error instanceof Error)) return { what: 'could not be used', retryable: true }
  const { code = '', originalCode = '', responseCode, response, permanent } = error as NodemailerError
  if (loginCodes.includes(code)) {
    const remedy = 'Check user and password, and whether the server allows this way of logging in.'
    return {
      what: `refused user and password${responseCode === undefined ? '' : ` (${responseCode})`}`,
      retryable: permanent === false,
      remedy,
    }
  }
  if (code === 'ETLS' || certificateCode.test(originalCode) || certificateCode.test(code)) return tlsFailure(code, originalCode)
  if (responseCode !== undefined)
    return { what: `answered ${answerOf(settings, response ?? String(responseCode))}`, retryable: permanent !== true }
  const shown = [originalCode, code].find((each) => /^[A-Z][A-Z0-9_]{1,60}$/.test(each))
  return { what: `could not be reached${shown === undefined ? '' : ` (${shown})`}`, retryable: true }
}

function tlsFailure(code: string, originalCode: string): Failure {
  const why = certificateCode.test(originalCode) ? originalCode : certificateCode.test(code) ? code : undefined
  if (why !== undefined)
    return {
      what: `has a certificate that is not trusted (${why})`,
      retryable: false,
      remedy: 'Give the certificate of who signed it as ca, and the name that is in it as host.',
    }
  return {
    what: 'does not offer TLS, or it could not be agreed on',
    retryable: false,
    remedy: 'Use the port on which it offers STARTTLS, or secure: true where TLS begins at once; insecure: true sends without.',
  }
}

/** A server that repeats what it was sent must not make an error tell it. */
function answerOf({ login }: EmailSettings, response: string): string {
  const line = oneLine(response, longestAnswer)
  if (!login) return line
  const plain = `\0${login.user}\0${login.password}`
  const forms = [login.password, ...[login.password, plain].map((text) => Buffer.from(text).toString('base64'))]
  return forms.reduce((text, form) => text.replaceAll(form, '(hidden)'), line)
}
