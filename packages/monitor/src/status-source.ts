/** One node, as far as the handler looks at it; whatever else there is goes out with `?details=true`. */
export interface NodeView {
  /** Its name. */
  readonly node: string
  /** `OK`, `Warning`, `Error` or `Stale`. */
  readonly state: string
  /** When it reported last, ISO 8601 UTC. */
  readonly lastReport: string
  /** Milliseconds since then. */
  readonly ageMs: number
}

/** All nodes, as far as the handler looks at them. */
export interface ClusterView {
  /** `OK`, `Warning`, `Degraded` or `Critical`. */
  readonly state: string
  readonly nodes: readonly NodeView[]
}

/** Whoever knows how the nodes are: an engine, or anything that asks one. The answer is JSON, without secrets. */
export interface StatusSource {
  /** How all nodes are now, with their checks. */
  status(options: { readonly details: true }): Promise<ClusterView>
}
