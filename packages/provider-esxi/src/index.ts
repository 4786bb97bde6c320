export { type HostCertificate, isThumbprint, readHostCertificate } from './vim25/pinned-agent.ts'
