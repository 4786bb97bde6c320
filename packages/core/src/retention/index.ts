export { describeRetention } from './describe-retention.ts'
export { planRetention, type RetentionOptions } from './plan-retention.ts'
export {
  type RetentionDecision,
  type RetentionPlan,
  type RetentionPoint,
  type RetentionRule,
  type RetentionWarning,
  type RetentionWarningCode,
  retentionRules,
} from './retention-plan.ts'
export { parseRetention, type RetentionPolicy, type RetentionPolicyInput, retentionSchema } from './retention-policy.ts'
