/** What pages of the named origins may do with the S3 buckets: what the presigned URLs let them do, and nothing without one. */
import { type CorsRule, HttpMethods } from 'aws-cdk-lib/aws-s3'
import { EXPOSED_HEADERS } from '../protocol/headers.ts'
import type { Settings } from './settings.ts'

const HOUR_SECONDS = 3600

/** The pages that may call the API may also read what its presigned URLs give. */
export const fetchFromPages = ({ corsOrigins }: Settings): CorsRule[] =>
  corsOrigins.length === 0
    ? []
    : [
        {
          allowedOrigins: [...corsOrigins],
          allowedMethods: [HttpMethods.GET, HttpMethods.HEAD],
          allowedHeaders: ['Range'],
          exposedHeaders: [...EXPOSED_HEADERS],
          maxAge: HOUR_SECONDS,
        },
      ]

/** And send the bytes that its presigned requests ask for. */
export const storeFromPages = ({ corsOrigins }: Settings): CorsRule[] =>
  corsOrigins.length === 0
    ? []
    : [
        {
          allowedOrigins: [...corsOrigins],
          allowedMethods: [HttpMethods.PUT],
          allowedHeaders: ['Content-Type', 'If-None-Match', 'x-amz-checksum-sha256'],
          maxAge: HOUR_SECONDS,
        },
      ]
