import { packageBuild } from '../../tsup.base.ts'

export default packageBuild(
  {
    index: 'src/index.ts',
    'json-schema': 'src/json-schema.ts',
    'offline/index': 'src/offline/index.ts',
    'spec/index': 'src/spec/index.ts',
  },
  ['zod'],
)
