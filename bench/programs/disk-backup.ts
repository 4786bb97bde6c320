// node disk-backup.js DISKS NAME FOLDER: backs the image NAME.img up into a new repository in the folder.
import { diskFiles } from '../../examples/02-disk-files/disk-files-provider.ts'
import { openEngine } from './open-engine.ts'

const [disks = '', name = '', folder = ''] = process.argv.slice(2)
const engine = await openEngine(folder, diskFiles({ folder: disks }), name)
await engine.start()
await engine.runPlan('once')
await engine.stop()
