// The Functions app on a Flex Consumption plan, with an identity of its own and no keys in its settings.
param name string
param location string
param tags object
param environmentName string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyMailboxInstances int
param hostAccountName string
param deploymentContainerUrl string
param dataAccountName string
param serviceBusHost string
param applicationInsightsConnectionString string
param vaultName string
param settings object
param secretSettings object

var alwaysReady = alwaysReadyMailboxInstances == 0 ? [] : [
  {
    name: 'function:mailbox'
    instanceCount: alwaysReadyMailboxInstances
  }
]

var secretReferences = toObject(
  items(secretSettings),
  entry => entry.key,
  entry => '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=${entry.value})'
)

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'SystemAssignedIdentity'
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
      }
      runtime: {
        name: 'python'
        version: '3.12'
      }
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union({
    AzureWebJobsStorage__accountName: hostAccountName
    AzureWebJobsStorage__credential: 'managedidentity'
    AosStorage__accountName: dataAccountName
    AosStorage__credential: 'managedidentity'
    ServiceBus__fullyQualifiedNamespace: serviceBusHost
    ServiceBus__credential: 'managedidentity'
    APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD'
    AOS_ENVIRONMENT: environmentName == 'prod' ? 'production' : 'development'
    AOS_API_PUBLIC_URL: 'https://${app.properties.defaultHostName}'
  }, settings, secretReferences)
}

output name string = app.name
output hostName string = app.properties.defaultHostName
output principalId string = app.identity.principalId
