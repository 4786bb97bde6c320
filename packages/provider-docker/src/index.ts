export { type DockerOptions, docker } from './docker-provider.ts'
