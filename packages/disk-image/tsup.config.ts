import { packageBuild } from '../../tsup.base.ts'

export default packageBuild({ index: 'src/index.ts', 'pack-worker': 'src/qcow2/pack/worker.ts' })
