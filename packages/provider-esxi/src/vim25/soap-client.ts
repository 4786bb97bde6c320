import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Agent } from 'undici'
import { chooseVersion } from './api-version.ts'
import { faultError } from './faults.ts'
import { createHostRequests, type HostAddress, nameOf, textOf } from './host-requests.ts'
import { decodeAnswer, encodeRequest } from './message.ts'
import type { MethodName, ParametersOf, ResultOf, SelfOf } from './methods.ts'
import type { MoRef } from './values.ts'

/** How a call is made. */
export interface SoapCallOptions extends CallOptions {
  /** What people call the object, for errors. */
  readonly name?: string
}

/**
 * One call of the service.
 * @throws What a host refuses as `faultError` says; UNREACHABLE, ACCESS_DENIED (its certificate), PROVIDER_FAILED. An aborted signal rejects with its reason.
 */
export type SoapCall = <Name extends MethodName>(
  method: Name,
  self: MoRef<SelfOf<Name>>,
  parameters: ParametersOf<Name>,
  options: SoapCallOptions,
) => Promise<ResultOf<Name>>

/** Calls to one host, with the session that a login has opened. */
export interface SoapClient {
  readonly address: HostAddress
  /** The version of the API that is spoken, for example `8.0.2.0`. Asked once; no session is needed. */
  version(options: CallOptions): Promise<string>
  readonly call: SoapCall
  /** The header `cookie` of the session, for other requests to this same host; undefined for any other. A secret. */
  sessionCookie(to: HostAddress): string | undefined
  forgetSession(): void
}

export function createSoapClient(address: HostAddress, dispatcher: Agent): SoapClient {
  const requests = createHostRequests(address, dispatcher)
  let asked: Promise<string> | undefined
  const version = ({ signal }: CallOptions): Promise<string> => {
    asked ??= requests
      .send({ path: '/sdk/vimServiceVersions.xml', what: 'asking for its version', signal })
      .then((answer) => chooseVersion(textOf(address), answer))
      .catch((error: unknown) => {
        asked = undefined
        throw error
      })
    return asked
  }
  return {
    address,
    version,
    async call(method, self, parameters, { name, signal }) {
      const soap = { body: encodeRequest(method, self, parameters), action: `urn:vim25/${await version({ signal })}` }
      const { status, text } = await requests.send({ path: '/sdk', what: method, soap, signal })
      // A fault is a 500 with a body to read; nothing else is SOAP.
      if (status !== 200 && status !== 500)
        throw new HoldfastError('PROVIDER_FAILED', `${textOf(address)} answered ${method} with HTTP ${status}.`, {
          retryable: status > 500,
          details: { method, status },
        })
      const answer = decodeAnswer(method, text, nameOf(address))
      if ('fault' in answer) throw faultError(answer.fault, { method, self, ...(name !== undefined && { name }), host: nameOf(address) })
      return answer.result
    },
    sessionCookie: (to) => (textOf(to) === textOf(address) ? requests.sessionCookie() : undefined),
    forgetSession: requests.forgetSession,
  }
}
