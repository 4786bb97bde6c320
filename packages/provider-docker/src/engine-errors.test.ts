import { expect, it } from 'vitest'
import { statusError } from './engine-errors.ts'

const operation = { socketPath: '/run/docker.sock', what: 'making a helper' }

// As Docker Engine 20.10.24 says it.
const failedMount = (data: string): string =>
  `error while mounting volume '/v/_data': failed to mount local volume: mount //nas/x:/v/_data, data: ${data}: no such device`

it.each(['username=shop,password=hunter2,vers=3', 'username=shop,pwd=hunter2', 'username=shop,pass=a: hunter2'])(
  'a failed mount is told with its reason and without the password: %s',
  (data) => {
    const { message, remedy } = statusError(500, failedMount(data), operation)
    expect(message).not.toContain('hunter2')
    expect(message).toContain('username=shop')
    expect(message).toMatch(/: no such device$/)
    expect(remedy).toContain('could not be mounted')
  },
)

it('a secret that is cut by the limit of a message is hidden too', () => {
  const { message } = statusError(500, `${'x'.repeat(470)} https://shop:${'hunter2'.repeat(20)}@nas`, operation)
  expect(message).not.toContain('hunter2')
})
