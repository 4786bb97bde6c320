// node --conditions=@holdfast/source examples/01-quickstart/protect-volume.ts [VOLUME [FOLDER [SOCKET]]]
// The simple case, as the README shows it: protect a Docker volume and restore it under another name.
// #region protect
import { createEngine, formatBytes, localRepository } from '@holdfast/core'
import { docker } from '@holdfast/provider-docker'
import { sqlite } from '@holdfast/store-sqlite'

// The folder must exist: mkdir -p /srv/backup
const [volume = 'shop-db', folder = '/srv/backup', socketPath = '/var/run/docker.sock'] = process.argv.slice(2)

const engine = await createEngine({
  name: 'shop-backup',
  store: sqlite({ file: `${folder}/catalog.db` }),
  repositories: { main: localRepository({ folder: `${folder}/points` }) },
  providers: { docker: docker({ socketPath }) },
  plans: {
    nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'docker', id: volume }] },
  },
})
try {
  await engine.start() // first finishes or undoes what a killed process has left

  const run = engine.runPlan('nightly')
  for await (const step of run.progress()) console.log(step.text)
  for (const { point, bytes } of await run) console.log(`${point}: ${formatBytes(bytes.used)}, stored as ${formatBytes(bytes.stored)}`)

  const { findings } = await engine.verify({ repository: 'main' }) // reads every stored byte again
  console.log(findings.length === 0 ? 'every point is whole' : findings)

  // A second run of this program ends here with NAME_TAKEN: remove the copy first, or give another name.
  const copy = await engine.restore({ provider: 'docker', id: volume }, { name: `${volume}-restored` })
  console.log(`restored ${copy.point} as the volume ${copy.workload}`)
} finally {
  await engine.stop()
}
// #endregion protect
