/** CORS rules of the S3 buckets: pages of the named origins may send presigned requests. */
import { type CorsRule, HttpMethods } from 'aws-cdk-lib/aws-s3'
import { EXPOSED_HEADERS } from '../protocol/response-headers.ts'
import type { Settings } from './settings.ts'

const HOUR_SECONDS = 3600

/** Pages that may call the API may read the responses of presigned GETs. */
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

/** Pages that may call the API may send presigned PUTs. */
export const storeFromPages = ({ corsOrigins }: Settings): CorsRule[] =>
  corsOrigins.length === 0
    ? []
    : [
        {
          allowedOrigins: [...corsOrigins],
          allowedMethods: [HttpMethods.PUT],
          // The last one carries the description (lib/aws/blob-metadata.ts).
          allowedHeaders: ['Content-Type', 'If-None-Match', 'x-amz-checksum-sha256', 'x-amz-meta-*'],
          maxAge: HOUR_SECONDS,
        },
      ]
