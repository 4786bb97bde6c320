/** Managed objects that are special cases of others. */
const bases: { readonly [type: string]: string } = {
  ClusterComputeResource: 'ComputeResource',
  DistributedVirtualPortgroup: 'Network',
  OpaqueNetwork: 'Network',
  StoragePod: 'Folder',
  VirtualApp: 'ResourcePool',
}

export const isKindOf = (type: string, wanted: string): boolean => type === wanted || bases[type] === wanted
