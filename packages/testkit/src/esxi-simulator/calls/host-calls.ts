import { may } from '../simulated-privileges.ts'
import { element, field, reference, typedValues } from '../soap-answer.ts'
import { type Call, type Given, type Handler, type Host, type Refusal, refused, returned, textOf } from './call.ts'

const all = (call: Call, name: string) => call.parameters.filter((one) => one.name === name)

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

/** A machine that the host cannot read is not in its index. */
function findAllByUuid({ machines, style }: Host, call: Call): Given {
  const path = textOf(call, 'instanceUuid') === 'true' ? 'config.instanceUuid' : 'config.uuid'
  const uuid = textOf(call, 'uuid').toLowerCase()
  const found = machines.filter((one) => one.properties(typedValues(style))[path]?.content.toLowerCase() === uuid)
  return returned(textOf(call, 'vmSearch') === 'true' ? found.map(({ type, value }) => reference('returnval', type, value)).join('') : '')
}

/** Licences, privileges, and the search for machines. */
export const hostCalls: { readonly [method: string]: Handler } = {
  FindAllByUuid: findAllByUuid,
  HasPrivilegeOnEntities: hasPrivilegeOnEntities,
}
