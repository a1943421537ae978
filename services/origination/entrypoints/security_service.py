"""The API of what stands behind loans."""

from __future__ import annotations

from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb
from lending.origination.v1.security_service_pb2_grpc import SecurityServiceServicer

from services.origination.application.securing import Securing
from shared.runtime.requests import an_id


class SecurityService(SecurityServiceServicer):
    """Answers every rpc of lending.origination.v1.SecurityService."""

    def __init__(self, securing: Securing) -> None:
        self.securing = securing

    async def RegisterGuarantor(self, request: Any, context: Any) -> security_pb.Guarantor:
        """Take a guarantor's figures in."""
        return await self.securing.register(request)

    async def GetGuarantor(self, request: Any, context: Any) -> security_pb.Guarantor:
        """Return a guarantor."""
        return await self.securing.guarantor(an_id(request.guarantor_ref, "guarantor_ref"))

    async def RecordConsent(self, request: Any, context: Any) -> pb.Application:
        """Take a consent."""
        return await self.securing.consent(request)

    async def RegisterLien(self, request: Any, context: Any) -> pb.Application:
        """Take the registration of a lien."""
        return await self.securing.register_lien(request)

    async def ReleaseGuarantee(self, request: Any, context: Any) -> pb.Application:
        """Let a security go."""
        return await self.securing.release(request)
