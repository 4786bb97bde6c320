import { open } from 'node:fs/promises'
import { constants } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { encodeQcow2, encodeSums, openRawFile, type ClusterSum } from '@holdfast/disk-image'
const signal = new AbortController().signal
const raw='/var/tmp/b.raw', out='/var/tmp/b.qcow2'
const sec=(t:bigint)=>Number(process.hrtime.bigint()-t)/1e9
for (let round=0; round<3; round++) {
  execFileSync('rm',['-f',out,out+'2',out+'.sums']); execFileSync('sync')
  let t=process.hrtime.bigint()
  execFileSync('qemu-img',['convert','-W','-O','qcow2',raw,out+'2']); const a=sec(t)
  execFileSync('openssl',['dgst','-sha256',out+'2']); const b=sec(t)
  execFileSync('rm',['-f',out+'2']); execFileSync('sync')
  t=process.hrtime.bigint(); const c0=process.cpuUsage()
  const blocks=await openRawFile(raw,{signal}); const scan=sec(t)
  const all: (readonly ClusterSum[])[]=[]
  const e=await encodeQcow2(blocks,{signal,covers:'all',...(process.env.NOSUMS?{}:{onSums:(b:readonly ClusterSum[])=>{all.push(b)}})})
  const f=await open(out,process.env.DIRECT? constants.O_WRONLY|constants.O_CREAT|constants.O_TRUNC|constants.O_DIRECT : 'w'); let at=0
  let synced=0; let pending:Promise<void>|undefined
  for await(const c of e.open({signal})) { await f.write(c,0,c.length,at); at+=c.length
    if (process.env.EARLY && at-synced>=64<<20) { await pending; pending=f.datasync(); synced=at } }
  const wr=sec(t)
  await pending
  await f.sync(); await f.close()
  if(!process.env.NOSUMS){const g=await open(out+'.sums','w'); for await (const c of encodeSums({size:blocks.size,count:e.counts.data},(async function*(){yield* all})()).bytes) await g.write(c); await g.sync(); await g.close()}
  await blocks[Symbol.asyncDispose]();const total=sec(t); const cpu=process.cpuUsage(c0)
  console.log(JSON.stringify({convert:a.toFixed(2),plusdgst:b.toFixed(2),scan:scan.toFixed(2),written:wr.toFixed(2),total:total.toFixed(2),ratio:(total/b).toFixed(2),cpu:((cpu.user+cpu.system)/1e6).toFixed(2),rss:process.memoryUsage().rss>>20}))
}
