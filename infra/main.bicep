// The Azure resources of one AOS environment. Deploy into a resource group:
//   az deployment group create --resource-group <group> --template-file infra/main.bicep --parameters infra/main.parameters.json
targetScope = 'resourceGroup'

@description('Short name of the environment; part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region.')
param location string = resourceGroup().location

@description('Tier of the Service Bus namespace. Sessions need Standard or Premium.')
@allowed([
  'Standard'
  'Premium'
])
param serviceBusSku string = 'Standard'

@description('Memory of a Functions instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Most instances at a time.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Instances of the mailbox function that are kept warm. 0 sleeps at no cost.')
@minValue(0)
param alwaysReadyMailboxInstances int = 0

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('More settings of the app, by the variables of docs/configuration.md; they win over those made here. No secrets.')
param settings object = {}

@description('Settings whose values are secrets of the vault: the variable of each, and the name of its secret.')
param secretSettings object = {}

var suffix = toLower(uniqueString(resourceGroup().id, environmentName, location))
var tags = {
  'aos-environment': environmentName
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: 'aos-${environmentName}-${suffix}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    hostAccountName: 'aosh${suffix}'
    dataAccountName: 'aosd${suffix}'
    location: location
    tags: tags
  }
}

module messaging 'modules/messaging.bicep' = {
  name: 'messaging'
  params: {
    namespaceName: 'aos-${environmentName}-${suffix}'
    location: location
    tags: tags
    sku: serviceBusSku
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: 'aosv${suffix}'
    location: location
    tags: tags
  }
}

module functionApp 'modules/functionapp.bicep' = {
  name: 'functionApp'
  params: {
    name: 'aos-${environmentName}-${suffix}'
    location: location
    tags: tags
    environmentName: environmentName
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyMailboxInstances: alwaysReadyMailboxInstances
    hostAccountName: storage.outputs.hostAccountName
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    dataAccountName: storage.outputs.dataAccountName
    serviceBusHost: messaging.outputs.hostName
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    vaultName: vault.outputs.name
    settings: settings
    secretSettings: secretSettings
  }
}

module access 'modules/access.bicep' = {
  name: 'access'
  params: {
    principalId: functionApp.outputs.principalId
    hostAccountName: storage.outputs.hostAccountName
    dataAccountName: storage.outputs.dataAccountName
    namespaceName: messaging.outputs.namespaceName
    applicationInsightsName: monitoring.outputs.name
    vaultName: vault.outputs.name
  }
}

output functionAppName string = functionApp.outputs.name
output apiUrl string = 'https://${functionApp.outputs.hostName}/api/v1'
output serviceBusHost string = messaging.outputs.hostName
output vaultName string = vault.outputs.name
output dataAccountName string = storage.outputs.dataAccountName
