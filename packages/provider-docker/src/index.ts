// The provider of Docker volumes.

export { type DockerOptions, docker } from './docker-provider.ts'
