import { element, field, reference } from '../soap-answer.ts'
import { type Call, type Given, type Handler, type Host, type Refusal, refused, returned, textOf } from './call.ts'

const all = (call: Call, name: string) => call.parameters.filter((one) => one.name === name)

/** Whether the account may do something with an object. */
function may(host: Host, privilege: string, type: string, value: string): boolean {
  const missing = host.facts.missingPrivileges?.[privilege]
  if (missing === undefined) return true
  const object = host.world.find(type, value)
  return missing !== 'everywhere' && !(object !== undefined && 'name' in object && missing.includes(String(object.name)))
}

function hasPrivilegeOnEntities(host: Host, call: Call): Given | Refusal {
  if (!host.sessions.has(textOf(call, 'sessionId'))) return refused('InvalidArgument', 'A specified parameter was not correct: sessionId')
  const answers = all(call, 'entity').map(({ type = '', text: value }) => {
    const rights = all(call, 'privId').map(({ text: privilege }) =>
      element('privAvailability', {
        attributes: '',
        content: field('privId', privilege) + field('isGranted', may(host, privilege, type, value)),
      }),
    )
    return element('returnval', { attributes: '', content: reference('entity', type, value) + rights.join('') })
  })
  return returned(answers.join(''))
}

/** Licences and privileges. */
export const hostCalls: { readonly [method: string]: Handler } = { HasPrivilegeOnEntities: hasPrivilegeOnEntities }
