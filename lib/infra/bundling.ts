/**
 * How a Lambda handler becomes one file: the same options for the deployed bundle, the tests that invoke it and the bench
 * that measures it. CommonJS, because it starts faster than ESM on Lambda; the AWS SDK is inside, so that what was tested runs.
 * This module imports no CDK, so that a bench can read it without paying for it.
 */
import { fileURLToPath } from 'node:url'
import type { LambdaSide } from '../deployment/environment.ts'

/** The extension of our own modules: `.ts` in a checkout, `.js` in the built package. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/**
 * Options of esbuild's `build`; `bundle` and `entryPoints` complete them.
 *
 * @see https://esbuild.github.io/api/#main-fields — `module` first lets esbuild drop what is not used.
 */
export const BUNDLE = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  /** The language level of the functions' runtime, nodejs24.x. */
  target: 'node24',
  minify: true,
  mainFields: ['module', 'main'] as string[],
  /**
   * Left out, because Lambda never loads them: credentials are in its environment, which the SDK looks at first, and the
   * browser's name is asked for only in a browser.
   */
  external: [
    'bowser',
    '@aws-sdk/credential-provider-http',
    '@aws-sdk/credential-provider-ini',
    '@aws-sdk/credential-provider-process',
    '@aws-sdk/credential-provider-sso',
    '@aws-sdk/credential-provider-web-identity',
    '@smithy/credential-provider-imds',
  ] as string[],
} as const

/** The handler's source file, absolute: `lambda/read`, `lambda/write` or `lambda/verify`. */
export const handlerEntry = (side: LambdaSide): string =>
  fileURLToPath(new URL(`../../lambda/${side}.${extension}`, import.meta.url))
