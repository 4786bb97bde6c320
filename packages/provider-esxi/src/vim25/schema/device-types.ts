import type { DataTypeEntry } from './schema-entry.ts'

const none = { fields: {} } as const
const kindOf = <Base extends string>(base: Base) => ({ base, fields: {} }) as const
const file = 'VirtualDeviceFileBackingInfo'
const controller = 'VirtualController'
const scsi = 'VirtualSCSIController'
const card = 'VirtualEthernetCard'

/**
 * Virtual devices and what is behind them. A device of a type that is not here is read as a `VirtualDevice`, and keeps the name of its type.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.device.VirtualDevice.html and those derived from it.
 */
export const deviceTypes = {
  Description: { fields: { label: 'string', summary: 'string' } },
  VirtualDevice: {
    fields: {
      key: 'int',
      deviceInfo: 'Description?',
      backing: 'VirtualDeviceBackingInfo?',
      connectable: 'VirtualDeviceConnectInfo?',
      controllerKey: 'int?',
      unitNumber: 'int?',
    },
  },
  VirtualDeviceConnectInfo: {
    fields: { startConnected: 'boolean', allowGuestControl: 'boolean', connected: 'boolean', status: 'string?' },
  },

  VirtualController: { base: 'VirtualDevice', fields: { busNumber: 'int', device: 'int[]' } },
  VirtualSCSIController: { base: controller, fields: { hotAddRemove: 'boolean?', sharedBus: 'string?', scsiCtlrUnitNumber: 'int?' } },
  ParaVirtualSCSIController: kindOf(scsi),
  VirtualBusLogicController: kindOf(scsi),
  VirtualLsiLogicController: kindOf(scsi),
  VirtualLsiLogicSASController: kindOf(scsi),
  VirtualSATAController: kindOf(controller),
  VirtualAHCIController: kindOf('VirtualSATAController'),
  VirtualIDEController: kindOf(controller),
  VirtualNVMEController: { base: controller, fields: { sharedBus: 'string?' } },

  VirtualDisk: {
    base: 'VirtualDevice',
    fields: { capacityInKB: 'long', capacityInBytes: 'long?', diskObjectId: 'string?' },
  },
  VirtualEthernetCard: {
    base: 'VirtualDevice',
    fields: { addressType: 'string?', macAddress: 'string?', wakeOnLanEnabled: 'boolean?' },
  },
  VirtualE1000: kindOf(card),
  VirtualE1000e: kindOf(card),
  VirtualPCNet32: kindOf(card),
  VirtualVmxnet: kindOf(card),
  VirtualVmxnet2: kindOf('VirtualVmxnet'),
  VirtualVmxnet3: kindOf('VirtualVmxnet'),
  VirtualVmxnet3Vrdma: kindOf('VirtualVmxnet3'),
  VirtualSriovEthernetCard: kindOf(card),
  VirtualCdrom: kindOf('VirtualDevice'),
  VirtualFloppy: kindOf('VirtualDevice'),
  VirtualTPM: kindOf('VirtualDevice'),
  VirtualPCIPassthrough: kindOf('VirtualDevice'),

  VirtualDeviceBackingInfo: none,
  VirtualDeviceDeviceBackingInfo: { base: 'VirtualDeviceBackingInfo', fields: { deviceName: 'string', useAutoDetect: 'boolean?' } },
  VirtualDeviceFileBackingInfo: {
    base: 'VirtualDeviceBackingInfo',
    fields: { fileName: 'string', datastore: 'ref:Datastore?', backingObjectId: 'string?' },
  },
  VirtualCdromIsoBackingInfo: kindOf(file),
  VirtualFloppyImageBackingInfo: kindOf(file),
  VirtualDiskFlatVer1BackingInfo: { base: file, fields: { diskMode: 'string' } },
  VirtualDiskFlatVer2BackingInfo: {
    base: file,
    fields: {
      diskMode: 'string',
      thinProvisioned: 'boolean?',
      eagerlyScrub: 'boolean?',
      uuid: 'string?',
      contentId: 'string?',
      changeId: 'string?',
      parent: 'VirtualDiskFlatVer2BackingInfo?',
      sharing: 'string?',
      keyId: 'CryptoKeyId?',
    },
  },
  VirtualDiskSparseVer1BackingInfo: { base: file, fields: { diskMode: 'string' } },
  VirtualDiskSparseVer2BackingInfo: {
    base: file,
    fields: {
      diskMode: 'string',
      uuid: 'string?',
      contentId: 'string?',
      changeId: 'string?',
      parent: 'VirtualDiskSparseVer2BackingInfo?',
      keyId: 'CryptoKeyId?',
    },
  },
  VirtualDiskSeSparseBackingInfo: {
    base: file,
    fields: {
      diskMode: 'string',
      uuid: 'string?',
      contentId: 'string?',
      changeId: 'string?',
      parent: 'VirtualDiskSeSparseBackingInfo?',
      keyId: 'CryptoKeyId?',
    },
  },
  VirtualDiskRawDiskMappingVer1BackingInfo: {
    base: file,
    fields: {
      lunUuid: 'string?',
      deviceName: 'string?',
      compatibilityMode: 'string?',
      diskMode: 'string?',
      uuid: 'string?',
      contentId: 'string?',
      changeId: 'string?',
      sharing: 'string?',
    },
  },

  VirtualEthernetCardNetworkBackingInfo: { base: 'VirtualDeviceDeviceBackingInfo', fields: { network: 'ref?' } },
  VirtualEthernetCardDistributedVirtualPortBackingInfo: {
    base: 'VirtualDeviceBackingInfo',
    fields: { port: 'DistributedVirtualSwitchPortConnection' },
  },
  VirtualEthernetCardOpaqueNetworkBackingInfo: {
    base: 'VirtualDeviceBackingInfo',
    fields: { opaqueNetworkId: 'string', opaqueNetworkType: 'string' },
  },
  DistributedVirtualSwitchPortConnection: {
    fields: { switchUuid: 'string', portgroupKey: 'string?', portKey: 'string?', connectionCookie: 'int?' },
  },
  CryptoKeyId: { fields: { keyId: 'string' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
