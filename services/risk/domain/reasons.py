"""Every reason of a decision: a stable code, and words for the applicant."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """Why, with a stable code and words for the applicant."""

    code: str
    text_en: str
    text_zh: str


REASONS = {
    code: Reason(code, text_en, text_zh)
    for code, text_en, text_zh in (
        ("AGE_OUT_OF_RANGE", "Age outside the range of this product", "年龄不在产品范围内"),
        ("AMOUNT_OUT_OF_RANGE", "Amount outside the allowed range", "金额不在允许范围内"),
        ("PURPOSE_EXCLUDED", "We do not lend for this purpose", "贷款用途不予支持"),
        ("DEBT_SERVICE_TOO_HIGH", "Debt payments too high for the income", "负债还款占收入过高"),
        ("NOTHING_LEFT_TO_LIVE_ON", "Too little left to live on", "扣除还款后可支配收入不足"),
        (
            "DEBT_SERVICE_UNDER_STRESS_TOO_HIGH",
            "Payments too high if rates rise or income falls",
            "利率上升或收入下降时还款压力过大",
        ),
        ("INCOME_CONTRADICTORY", "Stated and confirmed income differ", "申报收入与核实收入不一致"),
        (
            "INSTALMENT_TOO_LOW",
            "The instalment stated does not repay the loan",
            "申报的每期还款额不足以还清贷款",
        ),
        ("INCOME_STALE", "Confirmation of income is too old", "收入证明已过期"),
        ("TOO_MANY_LENDERS", "Loans with too many lenders at once", "多头借贷机构过多"),
        ("TOO_MANY_ENQUIRIES", "Too many recent credit enquiries", "近期征信查询过多"),
        ("OVERDUE_ELSEWHERE", "Overdue with another lender", "在其他机构有逾期"),
        ("BUREAU_REPORT_MISSING", "No credit report for this amount", "缺少该金额所需的征信报告"),
        ("BUREAU_REPORT_STALE", "The credit report is too old", "征信报告已过期"),
        ("BUREAU_CONSENT_MISSING", "No consent to the credit report", "缺少征信查询授权"),
        ("BUREAU_REPORT_UNUSABLE", "The credit report could not be used", "征信报告无法使用"),
        (
            "INCOME_CONFIRMATION_UNUSABLE",
            "The confirmation of income could not be used",
            "收入核实结果无法使用",
        ),
        ("INCOME_NOT_CONFIRMED", "No confirmed income for this amount", "缺少该金额所需的收入核实"),
        (
            "GROUP_EXPOSURE_TOO_HIGH",
            "Enough was approved for this group already",
            "关联客户累计授信已达上限",
        ),
        (
            "BORROWER_EXPOSURE_TOO_HIGH",
            "Enough was approved for this borrower already",
            "该借款人累计授信已达上限",
        ),
        ("JOINT_SHARE_TOO_LOW", "The partner funds too little of it", "合作方出资比例过低"),
        (
            "JOINT_PARTNER_LIMIT",
            "Lending with this partner is at its limit",
            "与该合作方联合放贷已达上限",
        ),
        ("JOINT_LENDING_LIMIT", "Joint lending is at its limit", "联合放贷总额已达上限"),
        ("TOO_LITTLE_KNOWN", "Too little is known to score", "评分所需信息不足"),
        (
            "CONCENTRATION_LIMIT",
            "Our lending of this kind is at its limit",
            "同类贷款集中度已达上限",
        ),
    )
}
"""By code."""
