/** The public entry of the CDK constructs: `import { BucketService } from 'bucket-v1/infra'`. */
export { BucketService } from './bucket-service.ts'
export { BucketStack, type BucketStackProps } from './bucket-stack.ts'
export { SettingsError } from './read-settings.ts'
export type { BucketServiceProps } from './settings.ts'
