export { type RequestHandler, toNodeListener } from './node-listener.ts'
export { type StatusHandlerOptions, statusHandler } from './status-handler.ts'
export type { ClusterView, NodeView, StatusSource } from './status-source.ts'
